// What the pages do beyond links and forms. Every one of them works without this file.

// A chosen theme shows at once, without losing what stands in a form.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form.themes") || !event.submitter) return;
  event.preventDefault();
  const data = new FormData(form, event.submitter);
  const theme = data.get("theme");
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of form.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
  fetch(form.action, { method: "POST", body: data, redirect: "manual" }).catch(() => undefined);
});

// Offline: say so, and keep what was typed instead of leaving the page for the browser's own.
const offline = document.getElementById("offline");
const tell = () => {
  offline.hidden = navigator.onLine;
};
addEventListener("online", tell);
addEventListener("offline", tell);
document.addEventListener("htmx:sendError", () => {
  offline.hidden = false;
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) tell();
});
document.addEventListener(
  "submit",
  (event) => {
    if (navigator.onLine) return;
    event.preventDefault();
    event.stopPropagation();
    offline.hidden = false;
    offline.scrollIntoView({ block: "nearest" });
  },
  true,
);
tell();

// A form goes out once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// Times that run out, by the server's clock: <time data-until="…" data-now="…">.
const loadedAt = performance.now();
const two = (number) => String(number).padStart(2, "0");
function count() {
  for (const element of document.querySelectorAll("time[data-until]")) {
    const ahead = Date.parse(element.dataset.until) - Date.parse(element.dataset.now);
    const left = Math.max(0, Math.floor((ahead - (performance.now() - loadedAt)) / 1000));
    const [days, hours] = [Math.floor(left / 86400), Math.floor(left / 3600) % 24];
    const [minutes, seconds] = [Math.floor(left / 60) % 60, left % 60];
    if (left === 0) element.textContent = element.dataset.over;
    else if (days) element.textContent = `${days} d ${two(hours)} h`;
    else if (hours) element.textContent = `${hours} h ${two(minutes)} min`;
    else element.textContent = `${minutes}:${two(seconds)}`;
    element.classList.toggle("soon", left < 300);
  }
}
if (document.querySelector("time[data-until]")) {
  count();
  setInterval(count, 1000);
}

// A table that is wider than its place can be scrolled by keyboard; one that fits is no stop.
const fitting = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const watch = () => {
  for (const element of document.querySelectorAll(".scroll")) fitting.observe(element);
};
document.addEventListener("htmx:afterSwap", watch);
watch();
