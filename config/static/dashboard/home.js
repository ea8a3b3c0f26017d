// The home page lives: the state every two seconds from a process's memory, the story every five.
// A connection that drops shows itself; nothing old is shown as if it were new.
"use strict";
(() => {
  const NOW_MS = 2000, STORY_MS = 5000, STALE_MS = 6000, STORY_STALE_MS = 20000;
  const home = document.getElementById("home");
  const shapes = JSON.parse(document.getElementById("chart-shapes").textContent);
  const byId = (id) => document.getElementById(id);
  const charts = {};
  let span = home.dataset.span, story = null, heardAt = Date.now(), storyAt = Date.now(), isSignedOut = false;

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const clock = (ms, seconds = true) =>
    new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) });
  const ago = (ms) => {
    const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
    return s < 90 ? `${s} s ago` : s < 5400 ? `${Math.round(s / 60)} min ago` : `${Math.round(s / 3600)} h ago`;
  };

  async function fetched(url) {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, redirect: "manual", signal: AbortSignal.timeout(5000) });
    isSignedOut = answer.type === "opaqueredirect";
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    return answer.json();
  }

  function showNow(now) {
    byId("state").dataset.level = now.level;
    // Written only when it changes: it is read aloud.
    if (byId("sentence").textContent !== now.text) byId("sentence").textContent = now.text;
    byId("more").textContent = now.more ? `And ${now.more} more ${now.more === 1 ? "thing is" : "things are"} reduced, below.` : "";
    byId("reduced").hidden = now.reduced.length === 0;
    byId("reduced-list").replaceChildren(...now.reduced.map((one) => {
      const item = make("li");
      item.append(make("code", "", one.part), make("span", "", one.meaning), make("small", "", `${one.output.replace(/\.$/, "")}. Since ${clock(Date.parse(one.since))}.`));
      return item;
    }));
    byId("checks").replaceChildren(...now.checks.map((one) => {
      const item = make("li"), measured = one.observedValue;
      item.dataset.status = one.status;
      item.append(make("span", "hf-status", { pass: "passes", warn: "warns", fail: "fails" }[one.status]), make("code", "", one.name));
      if (measured !== undefined && measured !== null) item.append(make("span", "hf-measured", `${measured} ${one.observedUnit}`));
      return item;
    }));
  }

  function sparkline(values) {
    const known = values.filter((value) => value !== null);
    if (known.length < 2) return null;
    const top = Math.max(...known, 1e-9), space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg"), line = document.createElementNS(space, "polyline");
    svg.setAttribute("viewBox", "0 0 100 24");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "hf-spark");
    svg.setAttribute("aria-hidden", "true");
    line.setAttribute("points", values.map((value, n) => value === null ? "" : `${(100 * n / (values.length - 1)).toFixed(1)},${(22 - 20 * value / top).toFixed(1)}`).join(" "));
    svg.append(line);
    return svg;
  }

  function showTiles(tiles) {
    byId("tiles").replaceChildren(...tiles.map((tile) => {
      const card = make("article", "hf-tile"), spark = sparkline(tile.trend);
      card.dataset.name = tile.name;
      if (tile.is_alarming) card.dataset.alarming = "";
      card.append(make("h2", "", tile.label), make("p", "hf-value", tile.value), make("p", "hf-detail", tile.detail || "\u00a0"));
      if (tile.before) card.append(make("p", "hf-before", `before: ${tile.before}`));
      if (spark) card.append(spark);
      return card;
    }));
  }

  function showAvailable(told) {
    const known = told.available.filter((value) => value !== null);
    const share = known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
    byId("available-share").textContent = share === null ? "no request in this stretch of time" : `${(Math.floor(share * 100) / 100).toFixed(2)} %`;
    const slots = 90, size = Math.max(1, Math.ceil(told.available.length / slots)), bars = [];
    for (let from = 0; from < told.available.length; from += size) {
      const some = told.available.slice(from, from + size).filter((value) => value !== null);
      const bar = make("span"), worst = some.length ? Math.min(...some) : null;
      bar.dataset.level = worst === null ? "none" : worst >= 99.9 ? "good" : worst >= 95 ? "reduced" : "down";
      bar.title = `${clock(told.start + from * told.step)}: ${worst === null ? "no request" : `${worst} %`}`;
      bars.push(bar);
    }
    byId("available").replaceChildren(...bars);
  }

  function showIncidents(incidents) {
    byId("no-incidents").hidden = incidents.length > 0;
    byId("incidents").replaceChildren(...incidents.map((one) => {
      const item = make("li"), time = make("time", "", clock(one.at));
      item.dataset.kind = one.kind;
      time.dateTime = new Date(one.at).toISOString();
      time.title = ago(one.at);
      item.append(time, make("span", "", one.text), make("small", "", one.by ? `by ${one.by}` : ""));
      return item;
    }));
  }

  // --- charts ---------------------------------------------------------------------------------
  const PALETTE = { light: ["#0e7490", "#c2410c", "#6d28d9", "#4d7c0f", "#be185d", "#475569"], dark: ["#22d3ee", "#fb923c", "#a78bfa", "#a3e635", "#f472b6", "#94a3b8"] };
  const MEANT = { confirmed: 0, p50: 0, hits: 0, cancelled: 1, p95: 2, p99: 1, succeeded: 0, declined: 2 };
  const isDark = () => document.documentElement.classList.contains("dark");
  // An incident is a line at the same place on every chart.
  const marks = {
    id: "marks",
    afterDatasetsDraw(chart) {
      if (!story) return;
      const { ctx, chartArea: area, scales: { x } } = chart;
      ctx.save();
      ctx.strokeStyle = isDark() ? "rgba(248,113,113,.7)" : "rgba(185,28,28,.55)";
      ctx.setLineDash([3, 3]);
      let last = -Infinity;
      for (const one of story.incidents.toReversed()) {
        const at = Math.round(x.getPixelForValue(one.at));
        // Of several at one place one is drawn.
        if (at < area.left || at > area.right || at - last < 4) continue;
        last = at;
        ctx.beginPath();
        ctx.moveTo(at, area.top);
        ctx.lineTo(at, area.bottom);
        ctx.stroke();
      }
      ctx.restore();
    },
  };

  // A line of one moment would be invisible.
  const alone = ({ dataset, dataIndex: at }) => {
    const known = (n) => dataset.data[n] && dataset.data[n].y !== null;
    return known(at) && !known(at - 1) && !known(at + 1) ? 2.5 : 0;
  };

  function options(shape) {
    const ink = isDark() ? "#cbd5e1" : "#475569", lines = isDark() ? "rgba(148,163,184,.15)" : "rgba(100,116,139,.15)";
    return {
      animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
      interaction: { mode: "index", intersect: false },
      elements: { point: { radius: alone, hitRadius: 8 }, line: { borderWidth: 1.75, tension: 0.2 } },
      scales: {
        x: { type: "linear", ticks: { color: ink, maxRotation: 0, autoSkipPadding: 24, callback: (ms) => clock(ms, story && story.step < 60000) }, grid: { display: false } },
        y: { beginAtZero: true, stacked: shape.stacked, ticks: { color: ink, maxTicksLimit: 5 }, grid: { color: lines }, border: { display: false } },
      },
      plugins: {
        legend: { display: true, align: "start", labels: { color: ink, boxWidth: 10, boxHeight: 10, padding: 8, font: { size: 11 } } },
        tooltip: { callbacks: { title: (items) => items.length ? clock(items[0].parsed.x) : "", label: (item) => ` ${item.dataset.label}: ${item.parsed.y} ${shape.unit}` } },
      },
    };
  }

  function draw(name, told) {
    const figure = byId(`chart-${name}`), canvas = figure.querySelector("canvas"), shape = shapes[name], lines = told.charts[name];
    const colours = PALETTE[isDark() ? "dark" : "light"];
    figure.querySelector(".hf-empty").hidden = lines.length > 0;
    canvas.style.visibility = lines.length ? "visible" : "hidden";
    const datasets = lines.map((line, n) => {
      const colour = colours[(MEANT[line.label] ?? n) % colours.length];
      return {
        label: line.label, borderColor: colour, backgroundColor: shape.stacked ? `${colour}33` : colour, fill: shape.stacked ? (n ? "-1" : "origin") : false, spanGaps: told.step * 3,
        data: line.values.map((value, at) => ({ x: told.start + at * told.step, y: value })),
      };
    });
    if (charts[name] && charts[name].wasDark !== isDark()) { charts[name].destroy(); delete charts[name]; }
    if (!charts[name]) {
      charts[name] = new Chart(canvas, { type: "line", data: { datasets: [] }, options: options(shape), plugins: [marks] });
      charts[name].wasDark = isDark();
    }
    const { x } = charts[name].options.scales;
    x.min = told.start;
    x.max = told.start + Math.max(1, told.count - 1) * told.step;
    charts[name].data.datasets = datasets;
    charts[name].update("none");
  }

  function showStory(told) {
    story = told;
    showTiles(told.tiles);
    showAvailable(told);
    showIncidents(told.incidents);
    for (const name of Object.keys(shapes)) draw(name, told);
    byId("when").textContent = `${clock(told.start)} to ${clock(told.start + told.count * told.step)}, your time`;
    home.dataset.ready = told.span;
  }

  // --- staying in touch -----------------------------------------------------------------------
  function tellContact() {
    const silence = Date.now() - heardAt, live = byId("live");
    const lost = silence > STALE_MS;
    home.toggleAttribute("data-lost", lost);
    home.toggleAttribute("data-old", Date.now() - storyAt > STORY_STALE_MS);
    if (home.hasAttribute("data-old") && story) byId("when").textContent = `figures and charts are of ${clock(storyAt)}: nobody tells newer ones`;
    live.textContent = lost && isSignedOut ? "signed out: load the page again" : lost ? `connection lost; this is how it was at ${clock(heardAt)}` : `live, ${clock(heardAt)}`;
  }
  async function loop(work, pause) {
    for (;;) {
      if (!document.hidden) try { await work(); } catch (error) { console.info(`not answered: ${error.message}`); }
      tellContact();
      await new Promise((go) => setTimeout(go, pause));
    }
  }
  const tellStory = async () => {
    const asked = span, told = await fetched(`${home.dataset.story}?span=${asked}`);
    storyAt = Date.now();
    if (asked === span) showStory(told);
  };

  for (const link of document.querySelectorAll(".hf-spans a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      span = link.dataset.span;
      history.replaceState(null, "", link.href);
      for (const other of document.querySelectorAll(".hf-spans a")) other === link ? other.setAttribute("aria-current", "true") : other.removeAttribute("aria-current");
      tellStory().catch(() => {});
    });
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) heardAt = storyAt = Date.now(); });
  new MutationObserver(() => story && showStory(story)).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  showNow(JSON.parse(byId("now").textContent));
  loop(async () => { showNow(await fetched(home.dataset.now)); heardAt = Date.now(); }, NOW_MS);
  loop(tellStory, STORY_MS);
})();
