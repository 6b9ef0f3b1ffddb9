// Keeps a page up to date: parts that the server renders, and the log of a job by server-sent events.
// Everything here is an addition; the pages are complete without it.
"use strict";

async function refresh(part) {
  try {
    const answer = await fetch(part.dataset.part, { headers: { Accept: "text/html" }, redirect: "error" });
    if (answer.ok) part.innerHTML = await answer.text();
  } catch {
    // The server is away; the next round asks again.
  }
}

function follow(job, log) {
  const source = new EventSource(job.dataset.events);
  let due = null;
  const soon = () => {
    due ??= setTimeout(() => { due = null; refresh(job); }, 300);
  };
  source.addEventListener("line", (event) => {
    const line = JSON.parse(event.data);
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const item = document.createElement("li");
    item.className = `log-${line.level} from-${line.source}`;
    const time = document.createElement("time");
    time.textContent = line.at.slice(11, 19);
    const text = document.createElement("span");
    text.textContent = line.text;
    item.append(time, text);
    log.append(item);
    while (log.childElementCount > 5000) log.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
    soon();
  });
  source.addEventListener("job", soon);
  source.addEventListener("change", soon);
  source.addEventListener("end", () => { source.close(); soon(); });
}

for (const part of document.querySelectorAll("[data-part][data-every]")) {
  setInterval(() => { if (!document.hidden) refresh(part); }, 1000 * part.dataset.every);
}
const job = document.querySelector("[data-job]");
const log = document.getElementById("log");
if (log) log.scrollTop = log.scrollHeight;
if (job && log && job.dataset.events) follow(job, log);
