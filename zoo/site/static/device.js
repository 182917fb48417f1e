// The conditions of a look-up on a device, as zoo/ask/device.py has them. device: as data.onDevice gives it, or null.
"use strict";
earshot.OnDevice = (function () {
  const { units, conditions } = earshot;
  const POWER = "max_power_uw",
    RATE = "every_ms",
    SLEEP = "sleep_power_uw";
  const SIZES = { max_flash: "flash_bytes", max_ram: "ram_bytes" };

  return class OnDevice {
    constructor(query, device) {
      const given = (name, read) => (conditions.isGiven(query[name]) ? read(name, query[name]) : null);
      this.every = given(RATE, units.interval);
      this.sleep = given(SLEEP, units.powerOrNone);
      this.limits = earshot.data.limits
        .filter((limit) => limit.on_device && conditions.isGiven(query[limit.name]))
        .map((limit) => ({ ...limit, most: units[limit.reads](limit.name, query[limit.name]) }));
      this.sure = Boolean(query.sure);
      this.ignore = Boolean(query.ignore_limits);
      this.named = conditions.isGiven(query.device);
      this.device = device;
      this.resolved = false;
      this.has = {};
      this.powers = new Map();
      this.check();
    }

    check() {
      const asked = [
        ...this.limits.map((limit) => limit.name),
        ...(this.sure ? ["sure"] : []),
        ...(this.ignore ? ["ignore_limits"] : []),
        ...(this.every !== null ? [RATE] : []),
        ...(this.sleep !== null ? [SLEEP] : []),
      ];
      if (!this.named && asked.length) throw new units.Invalid(asked[0], "given", "a device as well");
    }

    get limiting() {
      return this.named;
    }

    get asksPower() {
      return this.every !== null || this.sleep !== null || this.limits.some((limit) => limit.name === POWER);
    }

    // What a model takes there by name, or null.
    taken(place) {
      const row = this.device && this.device.rows[place];
      if (!row) return null;
      if (!this.resolved) {
        this.resolved = true;
        this.has = this.ignore ? {} : this.device.has;
      }
      return Object.fromEntries(earshot.data.taken.map((name, column) => [name, row[column]]));
    }

    power(place) {
      if (!this.powers.has(place)) {
        const beside = this.device.beside && this.device.beside[place];
        const model = earshot.data.models[place];
        this.powers.set(place, earshot.power(model, this.taken(place), this.device, beside, this.every, this.sleep));
      }
      return this.powers.get(place);
    }

    value(place, limit) {
      const taken = this.taken(place);
      if (taken === null) return Infinity;
      const own = limit.name === POWER ? this.power(place) : taken,
        found = own[this.sure ? limit.sure : limit.field];
      if (found === null && limit.name === POWER) {
        throw new units.Invalid("sure", "True", `no limit on power: that of ${this.device.device} has no interval`);
      }
      return found === null ? Infinity : found;
    }

    least(place) {
      if (this.taken(place) === null) return Infinity;
      const power = this.power(place),
        asked = this.every || power.every_ms;
      const own = power.every_ms > asked ? power.every_ms : 0;
      const answer = (this.sure ? power.answer_high_ms : power.answer_ms) || 0;
      return Math.max(own, answer * Math.max(1, asked / power.every_ms));
    }

    late(place) {
      return this.taken(place) === null ? Infinity : this.least(place) / (this.every || this.power(place).every_ms) - 1;
    }

    meets(place) {
      if (this.taken(place) === null) return false;
      const model = earshot.data.models[place];
      return (
        Object.entries(this.has).every(([name, most]) => model[SIZES[name]] <= most) &&
        this.limits.every((limit) => this.value(place, limit) <= limit.most) &&
        (!this.limits.some((limit) => limit.name === POWER) || this.late(place) <= 0)
      );
    }

    checkKnown() {
      earshot.data.models.forEach((_, place) => this.resolved || this.taken(place));
      if (this.limiting && !this.resolved) throw new conditions.Unknown(`no figures for device ${this.device.profile}`);
    }

    // The same as conditions on all models, by their places.
    constraints() {
      if (!this.device) return [];
      this.checkKnown();
      const found = this.limits.map((limit) => ({
        name: limit.name,
        limit: limit.most,
        value: (_, place) => this.value(place, limit),
        excess: (_, place) => this.value(place, limit) / limit.most - 1,
        remedy: `leave ${limit.name} out, of which nothing is known on ${this.device.profile}`,
      }));
      if (this.limits.some((limit) => limit.name === POWER)) {
        found.push({
          name: RATE,
          limit: this.every || "a clip",
          value: (_, place) => this.least(place),
          excess: (_, place) => this.late(place),
        });
      }
      return [
        ...found,
        ...Object.entries(this.has).map(([name, most]) => ({
          name,
          limit: most,
          value: (model) => model[SIZES[name]],
          excess: (model) => model[SIZES[name]] / most - 1,
          owner: this.device.device,
        })),
      ];
    }
  };
})();
