// The page's entry: mounts the workbench on the element that the template made.

import "./ui/workbench.css";
import { render } from "preact";

const root = document.getElementById("workbench");
if (root) render(<p>Loading…</p>, root);
