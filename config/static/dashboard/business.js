// Draws the report's chart from what the server wrote into the page; again when dark and light change.
"use strict";
(() => {
  const PALETTE = { light: ["#0e7490", "#c2410c", "#6d28d9", "#4d7c0f", "#be185d", "#475569"], dark: ["#22d3ee", "#fb923c", "#a78bfa", "#a3e635", "#f472b6", "#94a3b8"] };
  const drawing = JSON.parse(document.getElementById("drawing").textContent);
  const figure = document.getElementById("figure"), canvas = figure.querySelector("canvas");
  const isBars = drawing.kind === "bars";
  const isDark = () => document.documentElement.classList.contains("dark");
  let chart = null, wasDark = null;

  // As the server writes it: money with its currency, times with their unit.
  function written(value) {
    const exponent = drawing.exponent;
    if (drawing.unit === "money") return `${(value / 10 ** exponent).toLocaleString("en-GB", { minimumFractionDigits: exponent, maximumFractionDigits: exponent })} ${drawing.currency}`;
    if (drawing.unit === "ms") return value < 1000 ? `${value} ms` : value < 120000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value / 60000)} min`;
    return value.toLocaleString("en-GB");
  }
  const tick = (value) => drawing.unit === "money" ? (value / 10 ** drawing.exponent).toLocaleString("en-GB", { notation: "compact" }) : written(value);

  // A line of one moment would be invisible.
  const alone = ({ dataset, dataIndex: at }) => {
    const known = (n) => dataset.data[n] !== null && dataset.data[n] !== undefined;
    return known(at) && !known(at - 1) && !known(at + 1) ? 2.5 : 0;
  };

  function datasets() {
    const colours = PALETTE[isDark() ? "dark" : "light"];
    return drawing.series.map((one) => {
      const colour = colours[one.colour % colours.length], pale = `${colour}66`;
      return {
        label: one.label, data: one.values, borderColor: one.is_before ? pale : colour, backgroundColor: one.is_before ? pale : colour,
        ...(isBars ? { borderRadius: 3, maxBarThickness: 28 } : { borderDash: one.is_before ? [5, 4] : [] }),
      };
    });
  }

  function options() {
    const ink = isDark() ? "#cbd5e1" : "#475569", grid = isDark() ? "rgba(148,163,184,.15)" : "rgba(100,116,139,.15)";
    const values = { beginAtZero: true, ticks: { color: ink, maxTicksLimit: 5, precision: 0, callback: tick }, grid: { color: grid }, border: { display: false } };
    const names = { ticks: { color: ink, maxRotation: 0, autoSkip: !isBars, autoSkipPadding: 24 }, grid: { display: false } };
    return {
      animation: false, responsive: true, maintainAspectRatio: false, indexAxis: isBars ? "y" : "x",
      interaction: { mode: "index", intersect: false, axis: isBars ? "y" : "x" },
      elements: { point: { radius: alone, hitRadius: 8 }, line: { borderWidth: 1.75, tension: 0 } },
      scales: isBars ? { x: values, y: names } : { x: names, y: values },
      plugins: {
        legend: { display: drawing.series.length > 1, align: "start", labels: { color: ink, boxWidth: 10, boxHeight: 10, padding: 8, font: { size: 11 } } },
        tooltip: { callbacks: { label: (item) => ` ${item.dataset.label}: ${item.raw === null ? "not known" : written(item.raw)}` } },
      },
    };
  }

  function draw() {
    if (chart && wasDark === isDark()) return;
    if (chart) chart.destroy();
    wasDark = isDark();
    chart = new Chart(canvas, { type: isBars ? "bar" : "line", data: { labels: drawing.labels, datasets: datasets() }, options: options() });
    figure.dataset.ready = drawing.kind;
  }

  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  draw();
})();
