// What a look-up answers: the model, or why there is none, and the lines that ask the same elsewhere.
"use strict";
earshot.answer = (function () {
  const { element, byId, count, percent } = earshot;
  const address = (model) => `models/${encodeURIComponent(model.folder)}/index.html`;
  const link = (model) => element("a", { href: address(model) }, element("bdi", {}, model.name));

  function costs(model) {
    const ram = `${count(model.ram_bytes)} of RAM${model.stream_ram_bytes ? " in a stream" : ""}`;
    return `${count(model.macs)} MACs, ${count(model.flash_bytes)} bytes of flash, ${ram}`;
  }

  function accuracy(model) {
    if (model.basis !== earshot.conditions.MEASURED)
      return `accuracy ${percent(model.validation)} predicted, not measured`;
    const test = model.test === null ? "" : `, ${percent(model.test)} test`;
    return `accuracy ${percent(model.validation)} validation${test}`;
  }

  function knows(model, words) {
    const asked =
      words && words.length
        ? model.labels.filter((label) => words.includes(label) || /^_(unknown|silence)_$/.test(label))
        : model.labels;
    const told = asked.slice(0, 60).flatMap((label, place) => [place ? ", " : "", element("bdi", {}, label)]);
    return [
      words && words.length ? "answers " : "knows ",
      ...told,
      asked.length > 60 ? ` and ${asked.length - 60} more` : "",
    ];
  }

  function noise(rivals, chosen) {
    const [best, cheaper] = [earshot.data.models[rivals.best], earshot.data.models[rivals.cheaper]];
    const within = `within noise (${percent(best.low)} to ${percent(best.high)} on ${count(best.clips)} clips)`;
    if (chosen === rivals.cheaper)
      return ["chosen as the cheaper one ", within, " of ", link(best), ` (${percent(best.validation)})`];
    return [`${within}, and cheaper: `, link(cheaper), ` has ${percent(cheaper.validation)} for ${costs(cheaper)}`];
  }

  // Of which tasks models fit, where none was asked.
  function several(result, query) {
    const tasks = [...new Set(result.places.map((place) => earshot.data.models[place].task))].sort();
    if (query.task || query.name || (query.words || []).length || tasks.length < 2) return null;
    return element(
      "p",
      {},
      `models of ${tasks.length} tasks fit, whose accuracies cannot be compared; name one: `,
      ...tasks.flatMap((task, place) => [place ? ", " : "", element("bdi", {}, task)]),
    );
  }

  function there(taken, device) {
    const short = (value) => count(Number(value.toPrecision(4)));
    const { latency_ms: latency, instructions, energy_uj: energy, power } = taken,
      said = [];
    if (latency !== null) said.push(`${short(latency)} ms (${short(taken.low_ms)} to ${short(taken.high_ms)})`);
    if (instructions !== null) said.push(`${short(instructions)} instructions`);
    if (energy !== null) said.push(`${short(energy)} uJ`);
    if (power) said.push(`${short(power.power_uw)} uW on average, an answer each ${power.every_ms} ms, by ${power.by}`);
    const doubt = taken.in_range ? "" : "; outside of what was measured there";
    return `on ${device.device}: ${said.join(", ")}, with the front end; ${taken.basis}${doubt}`;
  }

  function model(result, query, device) {
    const own = earshot.data.models[result.chosen];
    return [
      element("h3", {}, link(own)),
      element("p", {}, costs(own)),
      element(
        "p",
        {},
        `${accuracy(own)}; licence `,
        element("bdi", {}, own.licence),
        own.non_commercial ? ", not for commercial use" : "",
      ),
      element("p", {}, ...knows(own, query.words)),
      result.taken ? element("p", {}, there(result.taken, device)) : null,
      result.rivals ? element("p", {}, ...noise(result.rivals, result.chosen)) : null,
      several(result, query),
    ];
  }

  function status(result) {
    if (result.kind === "found")
      return `${earshot.data.models[result.chosen].name} is the best of ${count(result.places.length)} that fit`;
    return result.kind === "none" ? "no model fits" : "this cannot be asked";
  }

  function show(result, query, device) {
    const inside =
      result.kind === "found"
        ? model(result, query, device)
        : [element("p", { class: "none" }, result.message), near(result), make(result, query)];
    byId("answer").replaceChildren(...inside.filter(Boolean));
    byId("status").textContent = earshot.visible(status(result));
    byId("lines").replaceChildren(
      earshot.command("Python", earshot.commands.python(query)),
      earshot.command("Shell", earshot.commands.shell(query)),
    );
  }

  function near(result) {
    const found = result.kind === "none" && earshot.data.models.find((one) => one.name === result.nearest);
    return found
      ? element("p", {}, "The nearest: ", link(found), `; `, element("b", {}, result.constraint), " binds.")
      : null;
  }

  function make(result, query) {
    if (result.kind !== "none" || !query.task) return null;
    return element(
      "p",
      {},
      "With ",
      element("code", {}, "--specialize"),
      ", the line for the shell searches a supernet for one, where the hub has it (with the extra train).",
    );
  }

  return { address, link, show };
})();
