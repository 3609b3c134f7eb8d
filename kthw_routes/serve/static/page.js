// What textual.js needs to know of this page: where its websocket is, by the name that the visitor's browser used.
document.addEventListener("DOMContentLoaded", () => {
  const terminal = document.getElementById("terminal");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  terminal.dataset.sessionWebsocketUrl = `${scheme}//${location.host}${terminal.dataset.path}`;
});

// Keys go to the terminal from the beginning; once the lab has ended, to the line that says so.
window.addEventListener("pageshow", () => {
  document.querySelector(".xterm-helper-textarea")?.focus();
  new MutationObserver(() => {
    if (document.body.classList.contains("-closed")) document.querySelector(".ended a").focus();
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
});
