import { PALETTE } from './palette.js';

/** The explorer's styles, for its shadow root: calm and exact, one typeface, hairlines, one signal colour that always means "chosen". */
export const STYLES = /* css */ `${PALETTE}
:host {
  --widest: 2200px;
  display: block; position: relative; isolation: isolate; container: explorer / inline-size;
  --gap: 16px;
  font: 14px/1.45 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
  -webkit-text-size-adjust: 100%;
  background: var(--paper); color: var(--ink); min-height: 100%;
}

*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
h2, h3, p, dl, dd, ol, ul, figure, fieldset { margin: 0; padding: 0; }
ol, ul { list-style: none; }
fieldset { border: 0; min-width: 0; }
h2 { font-size: 14px; font-weight: 600; line-height: 20px; }
code { font: 0.93em ui-monospace, "SF Mono", "Cascadia Mono", Menlo, "Liberation Mono", monospace; }

:focus-visible { outline: 2px solid var(--signal); outline-offset: 2px; }

.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.hint { color: var(--soft); font-size: 13px; }

/* Controls */

.button {
  display: inline-flex; align-items: center; justify-content: center; gap: 7px; min-height: 32px; padding: 0 12px;
  font: inherit; font-size: 13px; color: var(--ink); background: none; border: 1px solid var(--strong-line); border-radius: 4px; cursor: pointer; white-space: nowrap;
}
.button:hover:not(:disabled) { border-color: var(--ink); }
.button:active:not(:disabled) { background: var(--well); }
.button.back:disabled { display: none; }
.button:disabled { color: var(--soft); border-color: var(--line); cursor: default; opacity: 0.7; }
.button.on { color: var(--signal); border-color: var(--signal); }
.button[data-live-kind] { min-width: 94px; justify-content: flex-start; }
.button.quiet { border-color: transparent; padding: 0; width: 32px; }
.button svg { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 1.25; stroke-linejoin: round; stroke-linecap: round; }

input[type="range"], input[type="checkbox"] { accent-color: var(--ink); margin: 0; }
input[type="checkbox"] { width: 16px; height: 16px; }
.field { display: inline-flex; align-items: center; gap: 8px; min-height: 32px; font-size: 13px; color: var(--soft); }
.field.check { color: var(--ink); }

.segments { display: flex; flex-wrap: wrap; align-items: center; font-size: 13px; }
.segments legend { float: left; padding: 0 8px 0 0; color: var(--soft); line-height: 32px; }
.segments label { position: relative; cursor: pointer; }
.segments input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer; }
.segments:disabled { opacity: 0.5; }
.segments:disabled input, .segments:disabled label { cursor: default; }
.segments span { white-space: nowrap; display: inline-flex; align-items: center; gap: 6px; height: 32px; padding: 0 9px; border: 1px solid var(--line); margin-left: -1px; color: var(--soft); }
.segments label:first-of-type span { border-radius: 4px 0 0 4px; }
.segments label:last-of-type span { border-radius: 0 4px 4px 0; }
.segments label:hover span { color: var(--ink); }
.segments [aria-disabled="true"] + span { opacity: 0.55; border-style: dashed; }
.segments input:checked + span { color: var(--ink); border-color: var(--ink); position: relative; z-index: 1; }
.segments input:focus-visible + span { outline: 2px solid var(--signal); outline-offset: 2px; z-index: 2; }
.segments canvas { width: 14px; height: 14px; border-radius: 2px; image-rendering: auto; }

/* Header */

.bar { display: flex; align-items: center; gap: 0 16px; height: 52px; padding: 0 28px; border-bottom: 1px solid var(--line); max-width: var(--widest); margin: 0 auto; }
.status { position: relative; margin-left: auto; height: 100%; display: flex; align-items: center; }
/* Where the page has put no name there. */
.bar.bare .status { flex: 1; min-width: 0; margin: 0; }
.status dl { display: grid; grid-template-columns: 150px 222px 84px; }
.status dt { font-size: 11px; line-height: 15px; color: var(--soft); }
.status dd { font-size: 13px; line-height: 18px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; padding-right: 10px; }
.status dd span + span { color: var(--soft); }
.status .loading { position: absolute; inset: 0; display: none; align-items: center; background: var(--paper); color: var(--soft); font-size: 13px; line-height: 18px; white-space: pre; overflow: hidden; }
.status.busy .loading { display: flex; padding-right: 84px; }
.status .progress { position: absolute; left: 0; right: 10px; bottom: 4px; }
.status .cancel { position: absolute; right: 10px; top: 50%; transform: translateY(-50%); min-height: 28px; padding: 0 10px; background: var(--paper); }

/* Layout: the photo as large as the window allows, the views beside it, the way over both. */

.main {
  --stage-height: max(240px, calc(100svh - 372px));
  display: grid; gap: 12px 40px; max-width: var(--widest); margin: 0 auto; padding: 10px 28px 28px;
  grid-template-columns: minmax(0, 1.16fr) minmax(0, 1fr);
  grid-template-areas: "strip strip" "photo answers" "photo views" "pins views" "sources views" "overlay views" ". views";
  grid-template-rows: auto auto auto auto auto auto 1fr;
}
.strip { grid-area: strip; }
.photo { grid-area: photo; }
.pins { grid-area: pins; }
.overlay-controls { grid-area: overlay; }
.sources { grid-area: sources; }
.answers { grid-area: answers; }
.views { grid-area: views; min-width: 0; }

/* Strip */

.strip { display: flex; align-items: flex-start; gap: 14px; min-height: 66px; min-width: 0; }
.strip ol { position: relative; display: flex; gap: 3px; min-width: 0; overflow-x: auto; scrollbar-width: none; padding: 3px; margin: -3px; }
.strip ol::-webkit-scrollbar { display: none; }
.strip li { flex: none; display: flex; align-items: flex-start; }
/* Arrows, where the way changes its kind. */
.strip li:nth-child(2)::before, .strip li:nth-child(3)::before, .strip li:last-child::before { content: "→"; align-self: center; padding: 0 7px 16px; color: var(--soft); }
.strip li button { display: block; padding: 0; border: 0; background: none; font: inherit; font-size: 11px; line-height: 16px; color: var(--soft); cursor: pointer; text-align: center; }
.strip li canvas { display: block; width: 46px; height: 46px; background: var(--well); image-rendering: pixelated; }
.strip li:nth-child(1) canvas, .strip li:nth-child(2) canvas { image-rendering: auto; }
.strip li.begins { margin-left: 4px; padding-left: 7px; border-left: 1px solid var(--strong-line); }
.strip li button:hover { color: var(--ink); }
.strip li [aria-current] { color: var(--ink); font-weight: 600; }
.strip li [aria-current] canvas { box-shadow: 0 0 0 1px var(--paper), 0 0 0 3px var(--signal); }
.strip li:last-child button { height: 46px; max-width: 150px; padding: 0 10px; border: 1px solid var(--strong-line); border-radius: 4px; font-size: 13px; color: var(--ink); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.strip li:last-child [aria-current] { border-color: var(--signal); box-shadow: inset 0 0 0 1px var(--signal); }
.strip .play { margin: 7px 0 0 auto; width: 40px; padding: 0; font-size: 12px; }
.strip.empty .play { visibility: hidden; }

/* Photo */

.stage { position: relative; width: 100%; height: min(calc(100cqw * 0.36), var(--stage-height)); background: var(--well); overflow: hidden; cursor: crosshair; touch-action: manipulation; user-select: none; -webkit-user-select: none; }
.stage canvas { position: absolute; }
.stage .frame { position: absolute; pointer-events: none; }
/* Corner ticks of the part that the model sees. */
.stage .frame i { position: absolute; width: 12px; height: 12px; border: solid #fff; border-width: 0; filter: drop-shadow(0 0 1px rgb(0 0 0 / 0.7)); }
.stage .frame i:nth-child(1) { left: 0; top: 0; border-width: 1.5px 0 0 1.5px; }
.stage .frame i:nth-child(2) { right: 0; top: 0; border-width: 1.5px 1.5px 0 0; }
.stage .frame i:nth-child(3) { left: 0; bottom: 0; border-width: 0 0 1.5px 1.5px; }
.stage .frame i:nth-child(4) { right: 0; bottom: 0; border-width: 0 1.5px 1.5px 0; }
.stage .cell { position: absolute; pointer-events: none; }
.stage .hover { box-shadow: inset 0 0 0 1px rgb(255 255 255 / 0.9), 0 0 0 1px rgb(0 0 0 / 0.35); }
.stage .query { box-shadow: inset 0 0 0 2px #fff, 0 0 0 2px var(--signal); }
.stage .invite { position: absolute; inset: 0; display: grid; place-items: center; color: var(--soft); pointer-events: none; }
.stage.filled .invite { display: none; }

figcaption { display: grid; grid-template: "title title legend" 22px "detail back legend" 24px / minmax(0, 1fr) auto auto; align-items: center; gap: 0 20px; padding-top: 10px; }
.caption { display: contents; }
.caption .title { grid-area: title; }
.caption .detail { grid-area: detail; }
figcaption .back { grid-area: back; min-height: 24px; padding: 0 8px; }
figcaption .legend { grid-area: legend; }
.caption .title { font-weight: 600; line-height: 20px; }
.caption .detail { color: var(--soft); font-size: 13px; line-height: 20px; }
/* One line each, whatever they say (on a phone room for two of the title): the page below must not move. */
.caption p { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.legend { width: 132px; }
.legend.empty { visibility: hidden; }
.legend canvas { display: block; width: 100%; height: 8px; }
.legend p { display: flex; justify-content: space-between; font-size: 11px; line-height: 16px; color: var(--soft); padding-top: 2px; }

.overlay-controls { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px 16px; padding-top: 10px; border-top: 1px solid var(--line); }
.overlay-controls output { min-width: 5ch; color: var(--ink); }
.overlay-controls input[type="range"] { width: 76px; }
.detail { display: flex; flex-wrap: wrap; align-items: center; gap: 0 16px; flex-basis: 100%; }
.detail output { min-width: 7ch; }
.detail .note { flex: 1 1 240px; min-height: 19px; }
.colours span { padding: 0 7px; }

.sources { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 20px; padding-top: 10px; border-top: 1px solid var(--line); }
.samples { display: flex; gap: 8px; min-height: 44px; }
.samples:empty { display: none; }
.samples button { display: block; padding: 0; border: 0; background: var(--well); cursor: pointer; width: 60px; height: 44px; }
.samples img { display: block; width: 100%; height: 100%; object-fit: cover; }
.samples button[aria-pressed="true"] { outline: 2px solid var(--signal); outline-offset: 2px; }
.live { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 16px; min-height: 44px; min-width: 264px; }
.live .button { min-width: 74px; }
.live .rate { min-width: 9ch; color: var(--soft); font-size: 13px; }
select.button { max-width: 190px; text-overflow: ellipsis; }
select.button option { background: var(--paper); color: var(--ink); }
.sources .actions { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 10px; }

/* Side by side */

.pins { padding-top: 12px; border-top: 1px solid var(--line); min-width: 0; }
.pins .heading { flex-wrap: wrap; align-items: center; gap: 4px 16px; }
.pins h2 { margin-right: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 16px 12px; margin-top: 8px; }
.cards li { position: relative; min-width: 0; }
.cards li > canvas { display: block; width: 100%; aspect-ratio: 4 / 3; background: var(--well); }
.cards .title { margin-top: 6px; font-size: 13px; line-height: 17px; font-weight: 600; }
.cards .hint { font-size: 12px; line-height: 16px; }
.cards p.title, .cards p.hint { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.cards p.title { min-height: 34px; }
.cards p.hint { min-height: 32px; }
.cards .legend { width: 100%; margin-top: 4px; }
.cards .button.quiet, .cards .tag { position: absolute; right: 4px; top: 4px; min-height: 26px; width: 26px; color: #fff; background: rgb(0 0 0 / 0.55); border: 0; }
.cards .tag { width: auto; min-height: 0; padding: 1px 7px; border-radius: 4px; font-size: 12px; }
.cards .stale { opacity: 0.5; }
.cards .now > canvas { box-shadow: 0 0 0 2px var(--signal); }

/* Answer */

.answers ol { margin-top: 4px; min-height: 130px; transition: opacity 0.15s; }
.answers ol[aria-busy="true"] { opacity: 0.5; }
.answers li button { display: grid; width: 100%; padding: 0; font: inherit; color: inherit; text-align: left; background: none; border: 0; cursor: pointer; grid-template-columns: clamp(7em, 38%, 14em) minmax(0, 1fr) 6.5ch; align-items: center; gap: 12px; height: 26px; }
.answers li button:disabled { cursor: default; }
.answers li button:hover:not(:disabled) .label { text-decoration: underline; text-underline-offset: 3px; }
.answers li button[aria-pressed="true"] .label { color: var(--signal); }
.answers li button[aria-pressed="true"] .bar i { background: var(--signal) !important; }
.answers .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.answers .bar { display: block; height: 6px; padding: 0; border: 0; margin: 0; max-width: none; background: var(--well); }
.answers .bar i { display: block; height: 100%; background: var(--bar-rest); transform-origin: left; transition: transform 0.2s ease-out; }
.answers .values .bar { visibility: hidden; }
.answers .score { text-align: right; color: var(--soft); }
.answers li:first-child .label { font-weight: 600; }
.answers li:first-child .bar i { background: var(--bar); }
.answers li:first-child .score { color: var(--ink); }

.answers .unsure { margin-top: 2px; line-height: 16px; }

/* One's own classes */

.answers .top { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; min-height: 32px; }
.answers .top h2 { margin-right: auto; }
.teach { margin-bottom: 14px; padding: 12px 14px 14px; scroll-margin: 12px; border: 1px solid var(--line); border-radius: 6px; }
.own > li { padding: 10px 0 12px; border-bottom: 1px solid var(--line); }
.own > li.over { box-shadow: 0 0 0 2px var(--signal); border-radius: 4px; }
.own .head { display: flex; align-items: center; gap: 10px; }
.own .name { flex: 1; min-width: 0; height: 32px; padding: 0 6px; margin-left: -7px; font: inherit; font-weight: 600; color: inherit; background: none; border: 1px solid transparent; border-bottom-color: var(--line); border-radius: 4px; }
.own .name:hover, .own .name:focus { border-color: var(--strong-line); }
.own .count { font-size: 13px; color: var(--soft); white-space: nowrap; }
.own .actions { margin-top: 8px; }
.own .actions .button:first-child { touch-action: none; user-select: none; -webkit-user-select: none; }
.thumbs { display: grid; grid-template-columns: repeat(auto-fill, 56px); gap: 6px; max-height: 118px; overflow-y: auto; padding: 3px; margin: 5px -3px -3px; }
.thumbs:empty { display: none; }
.thumbs button { position: relative; display: block; width: 56px; height: 56px; padding: 0; border: 0; background: var(--well); cursor: pointer; }
.thumbs canvas { display: block; width: 100%; height: 100%; }
.thumbs svg { position: absolute; right: 2px; top: 2px; width: 16px; height: 16px; border-radius: 3px; background: rgb(0 0 0 / 0.55); fill: none; stroke: #fff; stroke-width: 1.5; }
.thumbs button:hover svg { background: var(--signal); }
.teach > .actions { margin-top: 12px; }
.teach .says { margin-top: 10px; min-height: 20px; }
.teach .runner { margin-top: 6px; }

/* Views */

.heading { display: flex; align-items: baseline; gap: 12px; }
.heading p { color: var(--soft); font-size: 13px; min-width: 0; }
.tabs { position: relative; display: grid; grid-template-columns: repeat(4, minmax(0, auto)); border-bottom: 1px solid var(--line); }
.tabs [role="tab"] { display: block; min-height: 40px; padding: 3px 8px 3px 0; font: inherit; font-size: 13px; line-height: 16px; text-align: left; color: var(--soft); background: none; border: 0; border-bottom: 2px solid transparent; cursor: pointer; }
.tabs b, .tabs span { display: block; font-weight: inherit; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.tabs b { color: var(--ink); }
.tabs span { font-size: 11px; }
.tabs [role="tab"]:hover { border-bottom-color: var(--strong-line); }
.tabs [role="tab"][aria-selected="true"] { font-weight: 600; border-bottom-color: var(--signal); }
.tabs [role="tab"][aria-selected="true"] span { font-weight: 400; color: var(--ink); }
.tabs [role="tab"]:focus-visible { outline-offset: -2px; }
.tabs [aria-disabled="true"] { opacity: 0.5; }
.sentence { min-height: 38px; margin-top: 8px; }
.refusal { margin: 4px 0 12px; padding-left: 10px; border-left: 2px solid var(--signal); color: var(--ink); }
.panel.refused { display: none; }
.caution { margin-top: 10px; padding-left: 10px; border-left: 2px solid var(--strong-line); }
#view-heads { min-height: 330px; }
.panel { padding-top: 2px; }
.panel .hint { max-width: 68ch; }
.controls { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 8px; }
.controls + .hint { margin-top: 8px; }
.controls input[type="range"] { width: 68px; }
.controls output { min-width: 4ch; color: var(--ink); }
.pictures { margin-top: 10px; }
.pictures legend { font-size: 13px; color: var(--soft); padding: 0; margin-bottom: 6px; }
.choices { display: grid; grid-template-columns: repeat(auto-fill, minmax(72px, 1fr)); gap: 10px 8px; max-width: 520px; min-height: 90px; }
.choices label { position: relative; cursor: pointer; font-size: 12px; line-height: 18px; color: var(--soft); text-align: center; }
.choices input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer; }
.choices canvas { display: block; width: 100%; aspect-ratio: 1; background: var(--well); image-rendering: pixelated; }
.choices label:hover span { color: var(--ink); }
.choices input:checked ~ canvas { box-shadow: 0 0 0 1px var(--paper), 0 0 0 3px var(--signal); }
.choices input:checked ~ span { color: var(--ink); font-weight: 600; }
.choices input:focus-visible ~ canvas { outline: 2px solid var(--signal); outline-offset: 5px; }

.controls .words { flex-basis: 100%; min-height: 40px; }
.runner { display: flex; align-items: center; gap: 12px; min-height: 32px; }
.runner .button { min-width: 92px; }
.runner .count { font-size: 13px; color: var(--soft); }
.progress { height: 2px; background: var(--line); }
.runner .progress { width: 90px; }
.progress div { height: 100%; width: 100%; transform: scaleX(0); transform-origin: left; background: var(--signal); }
.judge { margin-top: 14px; padding-top: 12px; border-top: 1px solid var(--line); }
.judge .hint { margin: 2px 0 8px; }

.chart svg { display: block; font-size: 11px; }
.chart { margin-top: 8px; }
.chart text { fill: var(--soft); }
.chart .rule { stroke: var(--line); }
.chart .mark { stroke: var(--signal); }
.chart .current { fill: var(--ink); font-weight: 600; }
.chart.picks { cursor: pointer; }
.chart .line { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linejoin: round; }
.chart .line.chosen { stroke-width: 2.5; }
.chart .dot { fill: var(--bar); fill-opacity: 0.55; }
.chosen { --mark: var(--signal); }
.other-1 { --mark: var(--one); }
.other-2 { --mark: var(--two); }
.other-3 { --mark: var(--three); }
.other-4 { --mark: var(--four); }
.chart .line { color: var(--mark); }
.key { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; min-height: 20px; }
.key li::before { content: ""; display: inline-block; width: 14px; height: 3px; margin: 0 6px 3px 0; background: var(--mark); }
table { width: 100%; margin-top: 12px; border-collapse: collapse; font-size: 13px; }
th, td { padding: 3px 8px 3px 0; text-align: left; font-weight: 400; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); }
td:last-child, thead th:last-child { text-align: right; padding-right: 0; }
tr.chosen td { color: var(--signal); }
.mosaic { display: block; width: 100%; max-width: 340px; margin-top: 10px; image-rendering: pixelated; background: var(--well); }
.mosaic.picks { cursor: pointer; }

.exports { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-top: 16px; padding-top: 12px; border-top: 1px solid var(--line); visibility: hidden; }
.exports.ready { visibility: visible; }
.exports p { font-size: 13px; color: var(--soft); margin-right: 4px; }
.exports .button { padding: 0 10px; }
h3 { margin: 0; font-size: 13px; font-weight: 600; }

/* Heads */

.scroll { overflow-x: auto; padding: 4px; margin: 0 -4px; }
.tiles { min-height: 220px; width: max-content; display: grid; justify-content: start; align-content: start; gap: var(--tile-gap, 4px); outline: none; }
.tiles [role="row"] { display: contents; }
.tiles .axis { display: grid; place-items: center; font-size: 11px; line-height: 14px; color: var(--soft); min-width: 0; }
.tiles .axis.row { justify-items: end; padding-right: 6px; }
.tiles .axis.current { color: var(--ink); font-weight: 600; }
.tiles .tile { position: relative; width: var(--tile); height: var(--tile-height); background: var(--well); cursor: pointer; border: 0; padding: 0; }
.tiles .fused { margin-top: 8px; }
.tiles.fused-first .fused { margin: 0 0 8px; }
.tiles .axis.joint { white-space: nowrap; border-top: 2px solid var(--strong-line); padding-top: 3px; text-align: center; }
.tiles .tile canvas { display: block; width: 100%; height: 100%; image-rendering: pixelated; }
.tiles.smooth .tile canvas { image-rendering: auto; }
:is(.strip, .choices, .tiles) canvas.fine { image-rendering: auto; }
.tiles .tile:hover { box-shadow: 0 0 0 1px var(--ink); z-index: 1; }
.tiles .tile[aria-selected="true"] { box-shadow: 0 0 0 1px var(--paper), 0 0 0 3px var(--signal); z-index: 2; }
.tiles .tile:focus-visible { outline-offset: 4px; z-index: 3; }

/* Dialog, notice, drop */

dialog { width: min(500px, calc(100vw - 32px)); max-height: calc(100svh - 32px); padding: 18px 22px 22px; border: 1px solid var(--strong-line); border-radius: 6px; background: var(--paper); color: var(--ink); }
dialog::backdrop { background: rgb(0 0 0 / 0.35); }
dialog .heading { justify-content: space-between; align-items: center; margin-right: -8px; }
dialog h3 { margin-bottom: 4px; }
dialog section:not([hidden]) ~ section, dialog .choosing + .beside { margin-top: 18px; padding-top: 14px; border-top: 1px solid var(--line); }
.offers { display: grid; gap: 6px; margin: 10px 0 0; }
.offers .button, .rows .button:first-child { justify-content: space-between; font-weight: 400; color: var(--soft); }
.offers b, .rows b { font-weight: 600; color: var(--ink); }
.offers .button[aria-pressed="true"] { opacity: 1; border-color: var(--signal); }
.offers [aria-pressed="true"] b { color: var(--signal); }
.kept .heading { margin: 0 0 6px; }
.rows { display: grid; gap: 6px; }
.rows li { display: flex; gap: 6px; }
.rows .button { height: auto; padding: 5px 12px; text-align: left; white-space: normal; }
.rows .button:first-child { flex: 1; min-width: 0; }
.rows b { overflow-wrap: anywhere; }
.hub .rows .button { display: block; }
.hub .rows b { display: block; }
.asking { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0; }
.asking input { flex: 1 1 200px; min-width: 0; min-height: 32px; padding: 0 10px; font: inherit; font-size: 13px; color: var(--ink); background: var(--paper); border: 1px solid var(--strong-line); border-radius: 4px; }
.found { min-height: 40px; font-size: 13px; overflow-wrap: anywhere; }
.found a { color: inherit; }
.hub [data-hub="load"] { margin-bottom: 10px; color: var(--paper); background: var(--ink); border-color: var(--ink); }
.hub [data-hub="forbid"] { margin-top: 10px; }
dialog .facts { display: grid; grid-template-columns: auto 1fr; gap: 3px 20px; margin: 6px 0 14px; font-size: 13px; }
dialog .facts dt { color: var(--soft); }
dialog .facts dd { overflow-wrap: anywhere; }
dialog section > .actions { margin-top: 10px; }
@media (min-width: 900px) {
  dialog { width: 860px; }
  dialog form { display: grid; grid-template: "head head" "notice notice" "choosing beside" / minmax(0, 1.2fr) minmax(0, 1fr); gap: 0 32px; }
  dialog form > .heading { grid-area: head; }
  dialog form > [data-model="notice"] { grid-area: notice; }
  .choosing { grid-area: choosing; }
  dialog .choosing + .beside { grid-area: beside; margin: 10px 0 0; padding: 0; border: 0; }
}
/* Where there is none to choose; browsers that don't know how to ask leave its place empty. */
dialog:not(:has(.choosing > section:not([hidden]))) { width: min(500px, calc(100vw - 32px)); }
dialog:not(:has(.choosing > section:not([hidden]))) form { display: block; }
dialog:not(:has(.choosing > section:not([hidden]))) .choosing + .beside { margin-top: 10px; padding: 0; border: 0; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; }

.notices { position: sticky; z-index: 10; bottom: 24px; height: 0; }
.notice { position: absolute; left: 50%; bottom: 0; transform: translateX(-50%); width: max-content; max-width: min(620px, calc(100cqw - 24px)); display: flex; align-items: center; gap: 12px; padding: 10px 10px 10px 16px; background: var(--ink); color: var(--paper); border-radius: 6px; }
.notice p { flex: 1; overflow-wrap: anywhere; }
.notice .actions:empty { display: none; }
/* Within the dialog it is part of it: beside what was asked for there. */
dialog .notice { position: static; transform: none; width: auto; max-width: none; margin-top: 12px; padding: 8px 8px 8px 13px; background: var(--well); color: inherit; border-left: 3px solid var(--signal); border-radius: 0 4px 4px 0; font-size: 13px; }
dialog .notice { flex-wrap: wrap; gap: 8px; }
dialog .notice p { flex-basis: calc(100% - 48px); }
dialog .notice .actions { order: 1; width: 100%; }
.notice .button { color: inherit; border-color: currentColor; flex: none; }
.notice .button.quiet { border-color: transparent; }
.notice .button:active { background: none !important; }

.drop { position: absolute; inset: 0; z-index: 20; display: grid; justify-items: center; align-items: start; pointer-events: none; background: var(--shade); font-size: 18px; font-weight: 600; }
.drop::before { content: ""; position: absolute; inset: 14px; border: 2px dashed var(--signal); border-radius: 8px; }
.drop p { position: sticky; top: 45vh; }

/* Narrower: fewer words. */

@container explorer (max-width: 1480px) {
  .sources .hint { display: none; }
  .samples, .sources .actions { gap: 6px; }
  .sources { gap: 10px 14px; }
  .sources .button { padding: 0 9px; }
  .samples button { width: 52px; }
}

@container explorer (max-width: 1180px) {
  .wide, .simd, .segments canvas { display: none; }
  figcaption { grid-template: "caption caption" 46px "back legend" auto / auto minmax(0, 1fr); }
  .caption { display: block; grid-area: caption; align-self: start; }
  .status dl { grid-template-columns: 150px 120px 84px; }
  .legend { width: 100%; }
  .button.back:disabled { display: inline-flex; visibility: hidden; }
  .panel .segments legend { position: absolute; clip-path: inset(50%); }
  .panel .segments span { padding: 0 7px; font-size: 12.5px; }
  .strip li canvas { width: 34px; height: 34px; }
  .strip li:last-child button { height: 34px; }
  .strip { min-height: 54px; }
  .strip .play { margin-top: 1px; }
  .tabs [role="tab"] { font-size: 12px; }
  .tabs b, .tabs span { white-space: normal; }
}

/* One column: the photo, the way through the model, the answer, the views. */

@container explorer (max-width: 860px) {
  .bar { flex-wrap: wrap; height: auto; padding: 10px 16px 8px; gap: 6px 16px; }
  .bar #model-open { margin-left: auto; }
  .bar.bare { flex-wrap: nowrap; }
  .status { order: 3; width: 100%; height: 38px; margin: 0; }
  .bar.bare .status { order: 0; }
  .status dl { width: 100%; grid-template-columns: minmax(0, 1fr) 120px 84px; }
  .status .progress { right: 0; bottom: -3px; }
  .main { display: flex; flex-direction: column; gap: 12px; padding: 0 16px 28px; --stage-height: 56svh; }
  .photo { order: 0; margin: 0 -16px; }
  .stage { height: min(75cqw, var(--stage-height)); }
  .strip, .pins { order: 1; }
  .answers { order: 2; }
  .sources { order: 3; }
  .views { order: 4; }
  .overlay-controls { order: 5; }
  figcaption { grid-template-rows: 62px auto; padding: 10px 16px 0; }
  .caption .title { white-space: normal; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
  .samples, .live { min-height: 48px; }
  .samples button { width: 56px; height: 48px; }
  .button, .field, .segments span { min-height: 40px; }
  .segments legend { line-height: 40px; }
  .button.quiet { width: 40px; }
  .tabs { grid-auto-flow: column; grid-template-columns: none; grid-auto-columns: max-content; gap: 0 18px; overflow-x: auto; scrollbar-width: none; margin: 0 -16px; padding: 0 16px; }
  .tabs::-webkit-scrollbar { display: none; }
  .tabs [role="tab"] { min-height: 44px; font-size: 13px; padding-right: 0; }
  .notice { width: calc(100cqw - 24px); flex-wrap: wrap; gap: 8px; }
  .notice p { flex-basis: calc(100% - 48px); }
  .notice .actions { order: 1; width: 100%; }
}

@container explorer (max-width: 520px) {
  .bar { gap: 6px 10px; }
  .bar.bare .status dl { grid-template-columns: minmax(0, 1fr) 104px 80px; }
  .bar .button { padding: 0 9px; }
  .strip ol { flex: 1; }
  .strip li canvas { width: 26px; height: 26px; }
  .strip li:nth-child(1) canvas, .strip li:nth-child(2) canvas { width: 34px; height: 34px; }
}

/* The photo stays in sight while a head is chosen below it. */
@media (min-height: 680px) and (orientation: portrait) {
  @container explorer (max-width: 860px) {
    .photo { position: sticky; top: 0; z-index: 4; background: var(--paper); padding-bottom: 10px; border-bottom: 1px solid var(--line); }
    .teach { scroll-margin-top: calc(min(75cqw, 56svh) + 130px); }
  }
}

@media (prefers-reduced-motion: reduce) {
  * { transition: none !important; scroll-behavior: auto !important; }
}

@media (forced-colors: active) {
  .tiles .tile[aria-selected="true"], .samples button[aria-pressed="true"] { outline: 3px solid Highlight; }
  .answers .bar i { background: CanvasText; }
}
`;
