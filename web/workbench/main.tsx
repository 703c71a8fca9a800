// The page's entry: mounts the workbench on the element that the template made.

import "./ui/workbench.css";
import { render } from "preact";
import { App } from "./ui/App.tsx";

const root = document.getElementById("workbench");
if (root)
  render(
    <App
      assignment={Number(root.dataset["assignment"])}
      person={Number(root.dataset["person"])}
      home={root.dataset["home"] ?? "/"}
    />,
    root,
  );
