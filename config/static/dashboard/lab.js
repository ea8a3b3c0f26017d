// The lab's page: sliders move their numbers, and what the server found is drawn. Nothing is computed here.
"use strict";
(() => {
  const form = document.getElementById("lab-form"), told = document.getElementById("charts");
  const status = document.getElementById("lab-status"), button = form.querySelector("button");

  // --- settings ------------------------------------------------------------------------------
  // As many digits as a hand can place; the number beside it takes the rest.
  const DIGITS = 4;
  for (const slider of form.querySelectorAll("input[type=range]")) {
    const exact = document.getElementById(slider.dataset.of);
    const bounded = (value) => Math.min(Number(slider.max), Math.max(Number(slider.min), value));
    slider.hidden = false;
    slider.addEventListener("input", () => { exact.value = bounded(slider.step === "any" ? Number(slider.valueAsNumber.toPrecision(DIGITS)) : slider.valueAsNumber); });
    exact.addEventListener("input", () => { if (exact.value !== "") slider.value = exact.value; });
  }
  form.addEventListener("submit", () => {
    button.disabled = true;
    status.textContent = status.dataset.running;
  });
  // Whoever comes back to a page that the browser has kept finds it as it was when it was left.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    button.disabled = false;
    status.textContent = "";
  });

  // --- charts --------------------------------------------------------------------------------
  if (!told) return;
  const PALETTE = {
    light: ["#0e7490", "#c2410c", "#6d28d9", "#4d7c0f", "#be185d", "#475569", "#a16207", "#1d4ed8"],
    dark: ["#22d3ee", "#fb923c", "#a78bfa", "#a3e635", "#f472b6", "#94a3b8", "#fde047", "#60a5fa"],
  };
  const found = JSON.parse(told.textContent), drawn = [];
  const isDark = () => document.documentElement.classList.contains("dark");
  const plain = (value) => value.toLocaleString("en-GB", { maximumSignificantDigits: 6 });

  // On a logarithmic axis Chart.js marks more numbers than it writes.
  function roundOnly(value, n, ticks) {
    return Chart.Ticks.formatters.logarithmic.call(this, value, n, ticks) ? plain(value) : "";
  }

  function scaleOf(axis, ink, lines) {
    const isLog = axis.scale === "log";
    return {
      type: isLog ? "logarithmic" : "linear",
      ...(axis.lowest !== null && { min: axis.lowest }),
      title: { display: true, text: axis.label, color: ink },
      ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16, ...(axis.is_whole && { precision: 0 }), callback: isLog ? roundOnly : (value) => plain(value) },
      grid: { color: lines }, border: { display: false },
    };
  }

  function curvesOf(chart) {
    const colours = PALETTE[isDark() ? "dark" : "light"];
    // Curves of one subject have one colour.
    const subjects = [...new Set(chart.series.map((series) => series.subject || series.label))];
    return chart.series.map((series) => {
      const colour = colours[subjects.indexOf(series.subject || series.label) % colours.length], isPoints = series.kind === "points";
      return {
        label: series.label, borderColor: colour, backgroundColor: colour, showLine: !isPoints,
        pointStyle: isPoints ? "circle" : "line", pointRadius: isPoints ? 3.5 : 0, pointHitRadius: 6, borderWidth: series.kind === "steps" ? 1.25 : 1.75,
        // A step holds its value until the next one.
        stepped: series.kind === "steps" ? "before" : false,
        data: series.x.map((x, n) => ({ x, y: series.y[n] })),
      };
    });
  }

  function draw(chart) {
    const ink = isDark() ? "#cbd5e1" : "#475569", lines = isDark() ? "rgba(148,163,184,.15)" : "rgba(100,116,139,.15)";
    return new Chart(document.getElementById(`chart-${chart.name}`), {
      type: "line",
      data: { datasets: curvesOf(chart) },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, parsing: false,
        interaction: { mode: "nearest", intersect: false },
        scales: { x: scaleOf(chart.x, ink, lines), y: scaleOf(chart.y, ink, lines) },
        plugins: {
          legend: { align: "start", labels: { color: ink, usePointStyle: true, boxWidth: 16, boxHeight: 7, padding: 8, font: { size: 11 } } },
          tooltip: { callbacks: {
            title: (items) => items.length ? `${chart.x.label}: ${plain(items[0].parsed.x)}` : "",
            label: (item) => ` ${item.dataset.label}: ${plain(item.parsed.y)}`,
          } },
        },
      },
    });
  }

  let wasDark = null;
  function drawAll() {
    if (wasDark === isDark()) return;
    wasDark = isDark();
    for (const chart of drawn.splice(0)) chart.destroy();
    drawn.push(...found.map(draw));
    form.dataset.ready = "";
  }
  new MutationObserver(drawAll).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  drawAll();
})();
