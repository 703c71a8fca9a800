// A component that renders again only when one of its properties is another one.

import { Component, h, type ComponentType } from "preact";

export function memo<Props extends object>(inner: ComponentType<Props>): ComponentType<Props> {
  class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Readonly<Props>): boolean {
      const now = this.props as Record<string, unknown>;
      const then = next as Record<string, unknown>;
      return Object.keys(then).some((key) => then[key] !== now[key]);
    }
    override render() {
      return h(inner, this.props as Props);
    }
  }
  return Memo;
}
