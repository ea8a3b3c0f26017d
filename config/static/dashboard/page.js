// What every page has: ids that can be copied, times told as "how long ago" beside the moment itself.
"use strict";
(() => {
  const ago = (ms) => {
    const s = Math.round((Date.now() - ms) / 1000), late = s >= 0, n = Math.abs(s);
    const text = n < 90 ? `${n} s` : n < 5400 ? `${Math.round(n / 60)} min` : n < 172800 ? `${Math.round(n / 3600)} h` : `${Math.round(n / 86400)} days`;
    return late ? `${text} ago` : `in ${text}`;
  };
  const tell = () => document.querySelectorAll("time[datetime]").forEach((time) => { time.title = ago(Date.parse(time.dateTime)); });
  tell();
  setInterval(tell, 10000);
  document.addEventListener("click", async (event) => {
    const code = event.target.closest("[data-copy]");
    if (!code) return;
    await navigator.clipboard.writeText(code.textContent.trim());
    code.classList.add("hf-copied");
    setTimeout(() => code.classList.remove("hf-copied"), 1500);
  });
})();
// Sections that say `data-live` are fetched again every five seconds, unless somebody is choosing in them.
(() => {
  const LIVE_MS = 5000, page = document.querySelector(".hf-page");
  if (!page || !page.querySelector("[data-live]")) return;
  let heardAt = Date.now();
  const lost = document.createElement("p");
  lost.className = "hf-lost";
  lost.setAttribute("role", "status");
  const isInUse = (section) => section.querySelector("input:checked") || section.contains(document.activeElement);
  const refresh = async () => {
    const answer = await fetch(location.href, { redirect: "manual", signal: AbortSignal.timeout(LIVE_MS) });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const section of page.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${section.dataset.live}"]`);
      if (now && !isInUse(section) && section.innerHTML !== now.innerHTML) section.innerHTML = now.innerHTML;
    }
    heardAt = Date.now();
  };
  setInterval(async () => {
    if (document.hidden) return;
    try { await refresh(); } catch (error) { console.info(`not answered: ${error.message}`); }
    const silent = Date.now() - heardAt > 2.5 * LIVE_MS;
    page.toggleAttribute("data-lost", silent);
    if (silent) { lost.textContent = `Connection lost: this is how it was at ${new Date(heardAt).toLocaleTimeString("en-GB")}.`; page.prepend(lost); } else lost.remove();
  }, LIVE_MS);
})();
