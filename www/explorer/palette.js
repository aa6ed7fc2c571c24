/** The explorer's colours: light or dark as the system has it, unless the host says `data-theme="light"` or `"dark"`. */

const LIGHT = /* css */ `
  color-scheme: light;
  --paper: #fbfbfa;
  --well: #eff0ee;
  --ink: #16181b;
  --soft: #5b6066;
  --line: #d9dbd9;
  --strong-line: #a9adab;
  --signal: #c8391a;
  --bar: #33373c;
  --bar-rest: #a4a9ae;
  --one: #2f6fb5;
  --two: #1f8a78;
  --three: #9a7414;
  --four: #7d58a6;
  --shade: rgb(251 251 250 / 0.62);`;

const DARK = /* css */ `
  color-scheme: dark;
  --paper: #131517;
  --well: #1c1f22;
  --ink: #e8e9ea;
  --soft: #9da3a9;
  --line: #2d3135;
  --strong-line: #555b61;
  --signal: #ff7a55;
  --bar: #d9dcde;
  --bar-rest: #666d74;
  --one: #6ea8e8;
  --two: #4cc0a8;
  --three: #d3a94a;
  --four: #b796dc;
  --shade: rgb(19 21 23 / 0.66);`;

// Twice, where `light-dark()` would say it once, which the oldest browsers have not.
export const PALETTE = /* css */ `
:host {${LIGHT}
}
@media (prefers-color-scheme: dark) {
  :host(:not([data-theme="light"])) {${DARK}
  }
}
:host([data-theme="dark"]) {${DARK}
}
`;
