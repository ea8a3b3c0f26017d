// What every page of the dashboard has: ids that can be copied, times told as "how long ago", keys, filters that
// are kept, and sections that are fetched again by themselves.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  // --- times ------------------------------------------------------------------------------------
  const ago = (ms) => {
    const s = Math.round((Date.now() - ms) / 1000), n = Math.abs(s);
    const text = n < 90 ? `${n} s` : n < 5400 ? `${Math.round(n / 60)} min` : n < 172800 ? `${Math.round(n / 3600)} h` : `${Math.round(n / 86400)} days`;
    return s >= 0 ? `${text} ago` : `in ${text}`;
  };
  const tellTimes = () => document.querySelectorAll("time[datetime]").forEach((time) => { time.title = ago(Date.parse(time.dateTime)); });
  tellTimes();
  setInterval(tellTimes, 10000);

  // --- ids that can be copied -------------------------------------------------------------------
  document.addEventListener("click", async (event) => {
    const code = event.target.closest("[data-copy]");
    if (!code) return;
    await navigator.clipboard.writeText(code.textContent.trim());
    code.classList.add("hf-copied");
    setTimeout(() => code.classList.remove("hf-copied"), 1500);
  });

  // --- keys: g and a letter goes to a page, ? tells them ----------------------------------------
  const KEYS = { h: "/admin/", s: "/admin/sagas/", m: "/admin/money/", t: "/admin/toolkit/", e: "/admin/events/", b: "/admin/business/", o: "/admin/orders/order/", d: "/admin/gamedays/", l: "/admin/lab/", a: "/admin/resilience/audittrail/" };
  // The last one: the brand at the top leads home as well.
  const linkTo = (path) => [...document.querySelectorAll(`#nav-sidebar a[href="${path}"], nav a[href="${path}"]`)].at(-1);
  const help = document.createElement("dialog");
  help.className = "hf-card hf-keys";
  help.setAttribute("aria-label", "Keys");
  const showHelp = () => {
    const list = document.createElement("dl");
    const add = (key, meaning) => {
      const term = document.createElement("dt"), what = document.createElement("dd");
      term.textContent = key;
      what.textContent = meaning;
      list.append(term, what);
    };
    add("Ctrl K", "find a page, an order by number or id, a payment by reference");
    for (const [key, path] of Object.entries(KEYS)) if (linkTo(path)) add(`g ${key}`, linkTo(path).lastElementChild.textContent.trim());
    add("?", "this list");
    add("Esc", "close");
    help.replaceChildren(list);
    if (!help.isConnected) document.body.append(help);
    help.showModal();
  };
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (isGoing && KEYS[event.key] && linkTo(KEYS[event.key])) { isGoing = false; location.href = KEYS[event.key]; return; }
    isGoing = event.key === "g";
    if (isGoing) setTimeout(() => { isGoing = false; }, 1500);
    if (event.key === "?") showHelp();
  });

  // --- filters that are kept, in this browser ----------------------------------------------------
  const tools = document.querySelector(".hf-tools");
  if (tools) {
    const name = `hf-filters:${location.pathname}`;
    const kept = () => JSON.parse(localStorage.getItem(name) || "{}");
    const keep = (filters) => { localStorage.setItem(name, JSON.stringify(filters)); show(); };
    const button = (text, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "hf-button";
      made.textContent = text;
      made.addEventListener("click", act);
      return made;
    };
    const show = () => {
      tools.querySelectorAll("[data-kept]").forEach((one) => one.remove());
      for (const [title, query] of Object.entries(kept())) {
        const chip = document.createElement("span"), link = document.createElement("a");
        chip.dataset.kept = "";
        link.href = query || location.pathname;
        link.textContent = title;
        const drop = button("×", () => { const rest = kept(); delete rest[title]; keep(rest); });
        drop.setAttribute("aria-label", `forget the filter ${title}`);
        chip.append(link, " ", drop);
        tools.append(chip);
      }
    };
    if (location.search) tools.append(button("Keep this filter", () => {
      const title = prompt("What is it called?");
      if (title) keep({ ...kept(), [title.slice(0, 40)]: location.search });
    }));
    show();
  }

  // --- sections that say `data-live`, unless somebody is choosing in them -------------------------
  const LIVE_MS = 5000, page = document.querySelector(".hf-page");
  if (!page || !page.querySelector("[data-live]")) return;
  const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
  const heard = new Map(), heldSince = new Map();
  let heardAt = Date.now();
  const lost = document.createElement("p");
  lost.className = "hf-lost";
  lost.setAttribute("role", "status");
  const isInUse = (section) => section.querySelector("input:checked") || (section.contains(document.activeElement) && document.activeElement.matches("a, button, input, select, textarea, summary"));
  const tellHeld = (section) => {
    const name = section.dataset.live, isHeld = isInUse(section);
    if (!isHeld) heldSince.delete(name); else if (!heldSince.has(name)) heldSince.set(name, Date.now());
    let note = section.querySelector(":scope > .hf-held");
    if (!isHeld) { if (note) note.remove(); return isHeld; }
    if (!note) { note = document.createElement("p"); note.className = "hf-held"; section.append(note); }
    note.textContent = `As it was at ${clock(heldSince.get(name))}: it goes on when nothing in it is chosen.`;
    return isHeld;
  };
  const replace = (section, html) => {
    const places = [...section.querySelectorAll(".hf-scroll, .hf-log")].map((one) => [one.scrollLeft, one.scrollTop, one.scrollTop + one.clientHeight >= one.scrollHeight - 4]);
    const open = [...section.querySelectorAll("details")].map((one) => one.open);
    section.innerHTML = html;
    section.querySelectorAll(".hf-scroll, .hf-log").forEach((one, n) => {
      if (!places[n]) return;
      one.scrollLeft = places[n][0];
      one.scrollTop = places[n][2] ? one.scrollHeight : places[n][1];
    });
    section.querySelectorAll("details").forEach((one, n) => { one.open = Boolean(open[n]); });
  };
  const refresh = async () => {
    const answer = await fetch(location.href, { redirect: "manual", signal: AbortSignal.timeout(LIVE_MS) });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const section of page.querySelectorAll("[data-live]")) {
      const name = section.dataset.live, now = fresh.querySelector(`[data-live="${name}"]`);
      if (!now || tellHeld(section)) continue;
      if (heard.get(name) !== now.innerHTML) replace(section, now.innerHTML);
      heard.set(name, now.innerHTML);
    }
    tellTimes();
    heardAt = Date.now();
  };
  setInterval(async () => {
    if (document.hidden) return;
    try { await refresh(); } catch (error) { console.info(`not answered: ${error.message}`); }
    const silent = Date.now() - heardAt > 2.5 * LIVE_MS;
    page.toggleAttribute("data-lost", silent);
    if (silent) { lost.textContent = `Connection lost: this is how it was at ${clock(heardAt)}.`; page.prepend(lost); } else lost.remove();
  }, LIVE_MS);
});
