"use strict";
// Draws the page from the JSON block; text always goes in as text, never as markup.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page");
  const blue = "#2f62c9", red = "#c4472a", grey = "#5a6675";
  const names = { inject: "Injection into controls", remove: "Removal from patients" };

  function make(tag, options, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(options || {}))
      if (key === "text") node.textContent = value;
      else if (key === "style") Object.assign(node.style, value);
      else node.setAttribute(key, value);
    for (const child of children) if (child) node.append(child);
    return node;
  }

  function section(title, note) {
    const node = make("section", {}, make("h2", { text: title }));
    if (note) node.append(make("p", { class: "note", text: note }));
    page.append(node);
    return node;
  }

  const known = (value) => typeof value === "number" && isFinite(value);
  const minus = (text) => text.replace(/^-/, "−");
  const plain = (value, digits) => (known(value) ? minus(Number(value.toPrecision(digits || 3)).toString()) : "n/a");
  const percent = (value) => (known(value) ? plain(100 * value) + " %" : "n/a");
  const fixed = (value) => minus(value.toFixed(Math.abs(value) < 1 ? 2 : 1));
  const signed = (value) => (known(value) ? (value > 0 ? "+" : "") + fixed(value) : "n/a");
  const spread = (s) => (s && known(s.mean) ? plain(s.mean) + (known(s.sd) ? " ± " + plain(s.sd, 2) : "") : "n/a");

  function table(head, rows, wide) {
    const body = make("tbody");
    for (const row of rows) {
      const line = make("tr");
      row.forEach((cell, i) => {
        const item = make(i === 0 ? "th" : "td", i === 0 ? { scope: "row" } : {});
        item.append(cell instanceof Node ? cell : String(cell));
        line.append(item);
      });
      body.append(line);
    }
    const top = make("tr");
    for (const text of head) top.append(make("th", { scope: "col" }, text));
    return make("div", { class: wide ? "scroll wide" : "scroll", tabindex: "0" }, make("table", {}, make("thead", {}, top), body));
  }

  function slice(plane, picture, what) {
    return make("figure", { class: "slice" },
      make("img", { src: plane[picture], alt: plane.plane + " slice, " + what }),
      make("span", { class: "l", text: plane.left }), make("span", { class: "r", text: plane.right }),
      make("span", { class: "t", text: plane.top }), make("span", { class: "b", text: plane.bottom }));
  }

  function legend(strip, scale, unit, words) {
    return make("div", { class: "legend" },
      make("div", { class: "words" }, make("span", { text: words[0] }), make("span", { text: words[1] })),
      make("img", { src: strip, alt: "colours from " + words[0] + " to " + words[1] }),
      make("div", { class: "ends" }, make("span", { text: plain(scale.low, 2) + unit + " and below" }),
        make("span", { text: "0" }), make("span", { text: "+" + plain(scale.high, 2) + unit + " and above" })));
  }

  function chart(parent, type, datasets, x, y, options) {
    const canvas = make("canvas", { role: "img", "aria-label": (options && options.label) || y });
    parent.append(make("div", { class: "chart" }, canvas));
    return new Chart(canvas, {
      type,
      data: { datasets },
      options: {
        animation: false, maintainAspectRatio: false, parsing: false, normalized: true,
        interaction: { mode: "nearest", intersect: false },
        scales: {
          x: { type: "linear", title: { display: true, text: x }, min: options && options.min, max: options && options.max },
          y: { type: (options && options.scale) || "linear", title: { display: true, text: y } },
        },
        plugins: {
          legend: { display: datasets.length < 6 || Boolean(options && options.legend), position: "bottom",
                    labels: { boxWidth: 16, boxHeight: 2 } },
          tooltip: { callbacks: { title: (items) => items[0].dataset.label,
                                  label: (item) => x + " " + plain(item.parsed.x) + ": " + plain(item.parsed.y, 4) } },
        },
      },
    });
  }

  function line(label, points, color, width, extra) {
    return Object.assign({ label, data: points, borderColor: color, backgroundColor: color, borderWidth: width,
                           pointRadius: 0, pointHitRadius: 4 }, extra || {});
  }

  // ---- head and verdict
  page.append(make("header", {}, make("h1", { text: data.title }),
    make("p", { text: "What a classifier of 3-D images has seen, shown as a change of tissue volume. Counterwarp " + data.version + "." }),
    make("p", { class: "use", text: "For research use only" })));
  {
    const node = section("What the results say");
    const list = make("ul", { class: "verdict" });
    const word = { good: "holds", poor: "caution", open: "open" };
    if (data.answer)
      node.append(make("p", { class: "answer " + data.answer.state, text: data.answer.sentence }));
    for (const item of data.verdict)
      list.append(make("li", {}, make("span", { class: "state " + item.state, text: word[item.state] }),
        make("span", { text: item.text })));
    node.append(list);
  }

  // ---- examples
  if (data.examples.scans.length) {
    const node = section("Before, after, and what changed",
      "Radiological convention: the patient's right is on the left of axial and coronal slices; sagittal slices look from the side, anterior to the left. " +
      "Each scan is cut where its volume changes most. Typical scans: their logit shift is the middle one of their direction, unless others were asked for.");
    node.append(legend(data.examples.legend, data.examples.scale, " %", ["tissue shrinks", "tissue grows"]));
    if (data.withheld)
      node.append(make("p", { class: "answer poor", text: "What the simulator did, and no finding: by the verdict above it does not explain the classifier." }));
    const cases = make("div", { class: "cases" });
    node.append(cases);
    for (const scan of data.examples.scans) {
      const title = (scan.direction === "inject" ? "Disease injected: " : "Disease removed: ") + scan.id;
      const held = scan.held_out === true ? "held out" : scan.held_out === false ? "used in training" : "not in the model's record";
      const box = make("div", { class: "case" }, make("h3", { text: title }),
        make("p", { class: "note", text: (scan.group ? scan.group + ", " : "") + held + "; logit " + plain(scan.before) + " before, " +
          plain(scan.after) + " after; largest displacement " + plain(scan.largest_mm, 2) + " mm." }));
      const grid = make("div", { class: "slices three" });
      for (const head of ["Before", "After", "Change of volume"])
        grid.append(make("div", { class: "head", text: head }));
      for (const plane of scan.planes)
        grid.append(slice(plane, "before", "before"), slice(plane, "after", "after"), slice(plane, "change", "change of tissue volume"));
      box.append(grid);
      cases.append(box);
    }
  }

  // ---- figures
  if (Object.keys(data.figures).length) {
    const node = section("Held-out scans in figures",
      "Injection is judged on controls, removal on patients; no scan here took part in training.");
    const columns = Object.keys(data.figures);
    const rows = [];
    const row = (label, value) => rows.push([label, ...columns.map((c) => value(data.figures[c]) )]);
    row("Scans", (f) => f.tally.scans);
    row("Moved the right way", (f) => percent(f.tally.moved));
    row("Across the classifier's boundary", (f) => percent(f.tally.flipped));
    row("Logit shift of the margin reached", (f) => ("margin_reached" in f.tally ? percent(f.tally.margin_reached) : "n/a"));
    row("Logit monotone along the strength", (f) => percent(f.tally.monotone));
    row("Logit shift (mean ± sd)", (f) => spread(f.tally.logit_shift));
    row("Misclassified to begin with", (f) => f.tally.misclassified);
    row("Folded voxels", (f) => f.tally.folded_voxels);
    row("Cycle error, relative", (f) => spread(f.tally.cycle_error));
    row("Largest error of the inverse", (f) => plain(f.tally.largest_inverse_error_mm, 2) + " mm");
    row("Largest displacement", (f) => plain(f.tally.largest_displacement_mm, 2) + " mm");
    if (columns.some((c) => data.figures[c].transfer)) {
      row("Second classifier: moved", (f) => (f.transfer ? percent(f.transfer.moved) : "n/a"));
      row("Second classifier: across its boundary", (f) => (f.transfer ? percent(f.transfer.flipped) : "n/a"));
      row("Second classifier: logit shift", (f) => (f.transfer ? spread(f.transfer.logit_shift) : "n/a"));
    }
    if (columns.some((c) => data.figures[c].scores)) {
      const score = (key) => (f) => (f.scores ? spread(f.scores[key]) : "n/a");
      row("Truth: signed correlation of log J", score("signed_correlation"));
      row("Truth: correlation of |log J|", score("normalised_correlation"));
      row("Truth: average precision", score("average_precision"));
      row("Truth: area under the ROC curve", score("auc"));
    }
    node.append(table(["", ...columns.map((c) => names[c])], rows));
  }

  // ---- strength
  if (Object.keys(data.strength).length) {
    const node = section("Logit along the strength",
      "Each thin line is a held-out scan, the thick one their mean. To the right of 0 the disease is injected, to the left removed; the simulator was trained for strengths 1 and −1. Above a logit of 0 the classifier says patient.");
    const columns = make("div", { class: "columns" });
    node.append(columns);
    for (const [direction, part] of Object.entries(data.strength)) {
      const box = make("div", {}, make("h3", { text: direction === "inject" ? "Controls" : "Patients" }));
      columns.append(box);
      const color = direction === "inject" ? red : blue;
      const points = (logit) => logit.map((y, i) => ({ x: part.strength[i], y }));
      const sets = [line("mean of " + part.scans.length, points(part.mean), color, 4)];
      for (const scan of part.scans) sets.push(line(scan.id, points(scan.logit), color + "55", 1));
      sets.push(line("boundary", [{ x: -1, y: 0 }, { x: 1, y: 0 }], grey, 1, { borderDash: [4, 4] }));
      chart(box, "line", sets, "strength (removal < 0 < injection)", "logit", { min: -1, max: 1, label: names[direction] + ": logit along the strength" });
    }
  }

  // ---- group maps
  if (data.maps.directions && data.maps.directions.length) {
    const node = section("Where tissue changes in the group",
      "Mean change of tissue volume over held-out scans (the mean of −log J as a percentage), and its one-sample t, on the model's grid over the mean training scan. Below 0: tissue shrinks.");
    node.append(make("div", { class: "legends" },
      legend(data.maps.legend, data.maps.mean_scale, " %", ["tissue shrinks", "tissue grows"]),
      legend(data.maps.legend, data.maps.t_scale, "", ["t below 0", "t above 0"])));
    const cases = make("div", { class: "cases" });
    node.append(cases);
    for (const map of data.maps.directions) {
      const box = make("div", { class: "case" }, make("h3", { text: names[map.direction] + " (" + map.scans + " scans)" }));
      for (const [picture, head] of [["mean", "Mean change of volume"], ["t", "t"]]) {
        const grid = make("div", { class: "slices three" });
        box.append(make("p", { class: "note", text: head, style: { margin: "8px 0 4px" } }), grid);
        for (const plane of map.planes) grid.append(slice(plane, picture, head));
      }
      cases.append(box);
    }
  }

  if (data.withheld)
    section("Where tissue changes in the group").append(make("p", { class: "answer poor",
      text: "Not shown: by the verdict above this simulator does not explain the classifier, so that its maps and its table of regions would be no finding. The files of `group` hold them." }));

  // ---- proof where no truth is known
  if (data.proof.length) {
    const node = section("What speaks for it, and what against",
      "Held-out scans; in brackets the 95 % interval. No truth is needed for these figures, and each of them can come out badly.");
    const figures = [...new Set(data.proof.map((r) => r.figure))];
    const find = (figure, direction) => data.proof.find((row) =>
      row.figure === figure && (row.direction === direction || (row.direction === "both" && direction === "inject")));
    const cell = (figure, direction) => {
      const r = find(figure, direction);
      if (!r) return "n/a";
      const text = make("span", { text: plain(r.value) + (known(r.low) ? " (" + plain(r.low) + " to " + plain(r.high) + ")" : "") });
      return r.state === "good" || r.state === "poor"
        ? make("span", {}, text, make("span", { text: " " }), make("span", { class: "state " + r.state, text: r.state === "good" ? "holds" : "caution" })) : text;
    };
    node.append(table(["", names.inject, names.remove, make("span", { class: "words", text: "What it means" })], figures.map((f) => [f.replace(/_/g, " "),
      cell(f, "inject"), cell(f, "remove"), make("span", { class: "words", text: data.proof.find((r) => r.figure === f).meaning })])));
  }

  // ---- effects of a cohort with several
  if (data.effects) {
    const node = section("Does it follow the classifier?",
      "What each effect of the cohort alone does to the logit, and where |log J| lies; in brackets the 95 % interval. The two shares must agree; a map that knows nothing would have the masks' own shares.");
    const interval = (s) => plain(s.mean) + (known(s.low) ? " (" + plain(s.low) + " to " + plain(s.high) + ")" : "");
    const rows = Object.entries(data.effects).flatMap(([direction, list]) => list.map((e) => [names[direction], e.effect.replace("effect", "effect "),
      interval(e.logit_shift), interval(e.logit_share), interval(e.map_share), plain(e.mask_share.mean), { good: "follows", poor: "does not follow", open: "undecided" }[e.state]]));
    node.append(table(["", "", "Logit shift alone", "Share of the logit", "Share of |log J|", "Share of the masks", ""], rows));
  }

  // ---- regions
  if (Object.keys(data.regions).length) {
    const node = section("Regions",
      "Change of tissue volume of each region in %, over held-out scans: N / (sum of J) − 1 over the voxels of its warped label; mean, standard deviation, and 95 % interval of the mean.");
    const columns = make("div", { class: "columns" });
    node.append(columns);
    for (const direction of ["inject", "remove"]) {
      const rows = data.regions[direction];
      if (!rows) continue;
      const reach = Math.max(1e-9, ...rows.slice(0, 10).flatMap((r) => [r.mean, r.low, r.high].filter(known).map(Math.abs)));
      const at = (value) => 50 + 50 * Math.max(-1, Math.min(1, value / reach));
      const bar = (r) => {
        const box = make("span", { class: "bar", "aria-hidden": "true" });
        const ends = [at(0), at(r.mean)].sort((a, b) => a - b);
        box.append(make("i", { style: { left: ends[0] + "%", width: ends[1] - ends[0] + "%", background: r.mean < 0 ? blue : red } }));
        if (known(r.low))
          box.append(make("b", { style: { left: at(r.low) + "%", width: at(r.high) - at(r.low) + "%" } }));
        box.append(make("u", { style: { left: "50%" } }));
        return box;
      };
      const cells = (r) => [r.region.replace(/_/g, " "), signed(r.mean), known(r.sd) ? fixed(r.sd) : "n/a",
        known(r.low) ? signed(r.low) + " to " + signed(r.high) : "n/a", bar(r)];
      const head = ["Region", "mean %", "sd", "95 % interval", ""];
      const box = make("div", {}, make("h3", { text: names[direction] }), table(head, rows.slice(0, 10).map(cells)));
      if (rows.length > 10)
        box.append(make("details", {}, make("summary", { text: "The other " + (rows.length - 10) + " regions" }), table(head, rows.slice(10).map(cells))));
      columns.append(box);
    }
  }

  // ---- saliency maps: pictures, and the verdict on each
  if (data.saliency.scans.length) {
    const node = section("Saliency maps, and whether to believe them",
      "What each method says that the classifier's output depends on, over the scan; red above 0, blue below. Every map has a scale of its own (the value that one voxel in a thousand passes), and all are cut at the same place, where they are largest together. Radiological convention.");
    for (const scan of data.saliency.scans) {
      const held = scan.held_out === true ? "held out" : scan.held_out === false ? "used in training" : "not in the model's record";
      const about = (scan.group ? scan.group + ", " : "") + held +
        (scan.output ? "; output " + plain(scan.output.value) + (scan.output.negative ? " (its negative explained)" : "") : "") +
        (scan.smoothed ? "; maps smoothed by " + plain(scan.smoothed) + " voxels" : "") + ".";
      node.append(make("h3", { text: scan.id }), make("p", { class: "note", text: about }));
      const cards = make("div", { class: "maps" });
      node.append(cards);
      const card = (title, planes, ...rest) => {
        const grid = make("div", { class: "slices three" });
        for (const plane of planes) grid.append(slice(plane, "picture", title));
        return make("div", { class: "map" }, make("h4", { text: title }), grid, ...rest);
      };
      cards.append(card("The scan", scan.scan));
      for (const map of scan.maps) {
        const v = map.verdict;
        const says = v.weights ? "weights: " + v.weights + "; output: " + v.output : "not checked for this classifier";
        cards.append(card(map.method, map.planes,
          make("p", { class: "judged", title: v.text }, make("span", { class: "state " + v.state, text: v.word }), make("span", { text: " " + says })),
          make("p", { class: "note", text: map.reason || "full red at +" + plain(map.scale.high, 2) + ", full blue at " + plain(map.scale.low, 2) })));
      }
    }
  }

  // ---- saliency maps: the checks, where they point, what they are worth to the classifier
  if (data.sanity) {
    const part = data.sanity, layers = part.layers.slice().reverse();
    const positive = (name) => /positive|absolute|zplus|alpha|composite/.test(name);
    const interval = (s) => (s && known(s.mean) ? plain(s.mean, 2) + (known(s.low) ? " (" + plain(s.low, 2) + " to " + plain(s.high, 2) + ")" : "") : "n/a");
    const node = section("Which saliency maps depend on the classifier", part.rule);
    node.append(table(
      ["Method", "Depends on the weights?", "Head re-drawn", "SSIM", "Unrelated maps", "Depends on the output?", "Maps of two outputs", "By construction"],
      part.methods.map((m) => [m.method, m.on_weights, interval(m.cascade[m.head].absolute_rank), interval(m.cascade[m.head].ssim),
        interval(m.unrelated.absolute_rank), m.on_output + (m.output_by_construction ? " (by construction)" : ""),
        interval(m.output.signed_rank), m.by_construction || ""]), true));
    node.append(make("p", { class: "note", text: part.scans.length + (part.held_out === false ? " scans, of which training may have seen some" : " held-out scans") + "; in brackets 95 % intervals of the mean. Below: magnitudes against those of the trained classifier as layers are re-drawn from the output down (" + layers.join(", ") + ")." }));
    const columns = make("div", { class: "columns" });
    node.append(columns);
    const palette = [blue, red, "#2e8a6b", "#8a5bb0", "#b07d1e", "#1e8fb0", grey, "#b04a7d", "#5f8a2e", "#444f9e", "#9e6a44", "#7d7d2e"];
    for (const [title, kind] of [["Signed forms", false], ["Positive and absolute forms", true]]) {
      const sets = part.methods.filter((m) => positive(m.method) === kind).map((m, i) => line(m.method,
        [{ x: 0, y: 1 }, ...m.cascade.slice().reverse().map((f, k) => ({ x: k + 1, y: f.absolute_rank.mean }))], palette[i % palette.length], 2));
      if (!sets.length) continue;
      const box = make("div", {}, make("h3", { text: title }));
      columns.append(box);
      chart(box, "line", sets, "layers re-drawn", "rank correlation of magnitudes", { legend: true, label: title + ": similarity as layers are re-drawn" });
    }
    if (part.localisation) {
      const place = section("Where the maps point, against the known effect",
        (part.held_out === false ? "Magnitudes on patients" : "Magnitudes on held-out patients") + ", inside the scored region; in brackets 95 % intervals of the mean. Smoothed: by one voxel of the model's grid first.");
      place.append(table(["Map", "n", "ROC area", "average precision", "correlation with the effect", "share inside", "smoothed: average precision", "smoothed: correlation"],
        part.localisation.map((m) => [m.map, m.plain.auc.n, interval(m.plain.auc), interval(m.plain.average_precision),
          interval(m.plain.normalised_correlation), interval(m.plain.mass_inside), interval(m.smoothed.average_precision),
          interval(m.smoothed.normalised_correlation)]), true));
    }
    if (part.faithfulness) {
      const faith = section("What the classifier makes of the maps",
        "Deletion puts " + (part.faithfulness_baseline || "the mean training scan") + " in place of the voxels that a map ranks first, insertion the other way round. Areas are parts of the way from the output for that (0) to that for the image (1): deletion is better the lower, insertion the higher.");
      faith.append(table(["Method", "n", "deletion", "insertion"],
        part.faithfulness.methods.map((m) => [m.method, m.deletion_area.n, interval(m.deletion_area), interval(m.insertion_area)])));
      const charts = make("div", { class: "columns" });
      faith.append(charts);
      for (const which of ["deletion", "insertion"]) {
        const box = make("div", {}, make("h3", { text: which === "deletion" ? "Deletion" : "Insertion" }));
        charts.append(box);
        chart(box, "line", part.faithfulness.methods.map((m, i) => line(m.method,
          m[which].map((y, k) => ({ x: part.faithfulness.share[k], y })), palette[i % palette.length], 2)),
          "share of the voxels", "logit of the called class", { legend: true, min: 0, max: 1, label: which + " curves" });
      }
    }
  }

  // ---- learning curves: columns that differ only in what they were measured on share a chart
  for (const [who, title] of [["classifier", "Learning curves of the classifier"], ["simulator", "Learning curves of the simulator"]]) {
    const { columns, rows } = data.curves[who];
    if (!columns.length || !rows.length) continue;
    const node = section(title);
    const charts = make("div", { class: "charts" });
    node.append(charts);
    const step = Math.max(0, columns.indexOf("step"));
    const groups = new Map();
    columns.forEach((name, i) => {
      if (i === step || name === "seconds" || !rows.some((r) => known(r[i]))) return;
      const key = name.replace(/(^|_)(train|training|validation|valid|val|inject|remove)(?=_|$)/g, "").replace(/^_/, "") || name;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(i);
    });
    const palette = [blue, red, "#2e8a6b", "#8a5bb0", grey];
    for (const [key, group] of groups) {
      const sets = group.map((i, n) => line(columns[i].replace(/_/g, " "),
        rows.filter((r) => known(r[i])).map((r) => ({ x: r[step], y: r[i] })), palette[n % palette.length], 2));
      chart(charts, "line", sets, "step", key.replace(/_/g, " "), { label: title + ": " + key });
    }
  }

  // ---- how to read
  {
    const node = section("How to read it");
    if (data.simulated) node.append(make("p", { text: data.sign }));
    if (data.simulated) node.append(make("p", { text: "A scan that moves the right way proves little by itself: the worst deformations do that too. What tells is whether a second classifier, trained apart, is moved by the same images, whether the warp can be undone, and whether nothing folds." }));
    for (const [who, record] of Object.entries(data.models))
      if (record)
        node.append(make("details", {}, make("summary", { text: "Record of the " + who }),
          make("pre", { text: JSON.stringify(record, null, 2) })));
  }
  page.append(make("footer", { text: "For research use only; not for diagnosis. Made by Counterwarp " + data.version + ". Charts by Chart.js, © Chart.js Contributors, MIT License." }));
  document.documentElement.dataset.ready = "true";
})();
