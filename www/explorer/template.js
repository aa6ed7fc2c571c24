/** What an explorer is made of. Ids are those of its shadow root: a page may hold several. */

const CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 3.5l9 9M12.5 3.5l-9 9"/></svg>';

const colours = ['viridis', 'magma', 'turbo', 'grey'].map((name) => `
  <label><input type="radio" name="colormap" value="${name}"><span><canvas width="32" height="1" aria-hidden="true"></canvas>${name}</span></label>`).join('');

/** Which model runs, and the way to another. */
export const HEADER = `
<header class="bar">
  <slot name="brand"></slot>
  <div id="status" class="status">
    <dl>
      <div><dt>Model</dt><dd data-status="model">–</dd></div>
      <div><dt>Arithmetic</dt><dd><span data-status="dtype">–</span><span class="simd" data-status="simd"></span><span data-status="threads"></span></dd></div>
      <div><dt>Forward pass</dt><dd data-status="forward">–</dd></div>
    </dl>
    <p class="loading" data-status="loading" role="status"></p>
    <button type="button" class="button cancel" data-status="cancel" hidden>Cancel</button>
    <div class="progress" data-status="progress" role="progressbar" aria-label="Loading the model" aria-valuemin="0" aria-valuemax="100" hidden><div></div></div>
  </div>
  <button type="button" id="model-open" class="button" aria-haspopup="dialog">Model</button>
  <slot name="actions"></slot>
</header>`;

/** What is within a stage: the photo, what is laid over it, and the marks of patches. */
export const STAGE = `
        <canvas class="base"></canvas>
        <canvas class="overlay"></canvas>
        <div class="frame" hidden><i></i><i></i><i></i><i></i></div>
        <div class="cell hover" hidden></div>
        <div class="cell query" hidden></div>
        <p class="invite">Drop a photo here</p>`;

export const MODEL_DIALOG = `
<dialog id="model" aria-labelledby="model-title">
  <form method="dialog">
    <div class="heading"><h2 id="model-title">Model</h2><button class="button quiet" value="close" aria-label="Close">${CROSS}</button></div>
    <div data-model="notice"></div>
    <div class="choosing">
      <section data-model="offers" aria-label="Of this page">
        <div class="offers" role="group" aria-label="Models of this page"></div>
      </section>
      <section data-model="kept" class="kept" aria-labelledby="kept-title" hidden>
        <div class="heading"><h3 id="kept-title">Used lately</h3><button type="button" class="button" data-kept="all">Delete all</button></div>
        <ul class="rows"></ul>
      </section>
      <section data-model="hub" class="hub" aria-labelledby="hub-title" hidden>
        <h3 id="hub-title">From the Hub</h3>
        <p class="hint" data-hub="words"></p>
        <div class="asking">
          <input type="text" name="hub" placeholder="org/name" aria-label="Name on the Hub" autocomplete="off" autocapitalize="off" spellcheck="false">
          <button type="button" class="button" data-hub="ask">Look up</button>
        </div>
        <p class="found" data-hub="found" role="status"></p>
        <button type="button" class="button" data-hub="load" hidden>Load</button>
        <ul class="rows" aria-label="Known to load"></ul>
        <button type="button" class="button" data-hub="forbid" hidden>Don't allow huggingface.co any more</button>
      </section>
    </div>
    <div class="beside">
      <section aria-labelledby="own-title">
        <h3 id="own-title">Your own</h3>
        <p class="hint">A folder with <code>config.json</code>, <code>model.safetensors</code> and, if there are such, <code>preprocessor_config.json</code> and <code>processor_config.json</code>. Choose it here or drop it on the page. It stays on this machine.</p>
        <div class="actions">
          <button type="button" class="button" data-model="folder">Choose folder</button>
          <button type="button" class="button" data-model="files">Choose files</button>
        </div>
      </section>
      <section aria-labelledby="use-title">
        <h3 id="use-title">In use</h3>
        <dl class="facts"></dl>
        <fieldset class="segments">
          <legend>Arithmetic</legend>
          <label><input type="radio" name="dtype" value="" checked><span>as stored</span></label>
          <label><input type="radio" name="dtype" value="int8"><span>int8</span></label>
          <label><input type="radio" name="dtype" value="f32"><span>f32</span></label>
        </fieldset>
      </section>
    </div>
    <input type="file" data-model="folder-input" webkitdirectory multiple hidden aria-label="Model folder">
    <input type="file" data-model="files-input" accept=".json,.safetensors" multiple hidden aria-label="Model files">
  </form>
</dialog>`;

/** What is said when something went wrong, and what covers the page while files are dragged over it. */
export const NOTICES = `
<div class="notices"><div id="notice" class="notice" role="alert" hidden>
  <p></p>
  <div class="actions"></div>
  <button type="button" class="button quiet" data-notice="close" aria-label="Dismiss">${CROSS}</button>
</div></div>

<div id="drop" class="drop" aria-hidden="true" hidden><p>Drop a photo, a video or a model folder</p></div>`;

export const TEMPLATE = `${HEADER}

<div class="main">
  <nav id="strip" class="strip" aria-label="From the photo to the answer"></nav>

  <section id="photo" class="photo" aria-label="Photo and map">
    <figure>
      <div id="stage" class="stage" tabindex="0" role="application" aria-label="Photo" aria-describedby="stage-help">${STAGE}
      </div>
      <p id="stage-help" class="visually-hidden">Arrow keys choose a patch of the photo and show what it attends to. Escape returns to the whole image. The space bar freezes a moving picture, and lets it go on.</p>
      <figcaption>
        <div class="caption" aria-live="polite">
          <p class="title" data-caption="title">&nbsp;</p>
          <p class="detail" data-caption="detail">&nbsp;</p>
        </div>
        <button type="button" class="button back" data-caption="back" disabled>Back to class token</button>
        <div class="legend empty">
          <canvas width="256" height="1" data-caption="scale" aria-hidden="true"></canvas>
          <p><span data-caption="min">0</span><span data-caption="max">&nbsp;</span></p>
        </div>
      </figcaption>
    </figure>
  </section>

  <section id="pins" class="pins" aria-label="Side by side" hidden></section>

  <section id="overlay" class="overlay-controls" aria-label="Overlay and detail">
    <label class="field">Strength <input type="range" name="opacity" min="0" max="100" value="85"> <output>85 %</output></label>
    <fieldset class="segments colours"><legend class="visually-hidden">Shown as</legend>
      <label><input type="radio" name="colormap" value="spotlight" checked><span>spotlight</span></label>${colours}</fieldset>
    <label class="field check"><input type="checkbox" name="smooth" checked> Smooth</label>
    <div id="detail" class="detail" role="group" aria-label="Detail">
      <label class="field" title="Patches along an edge">Detail <input type="range" name="detail" min="8" max="37" value="16"> <output></output></label>
      <label class="field check" title="As many as the model was made for, or as let a moving picture move"><input type="checkbox" name="auto" checked> Auto</label>
      <label class="field check" title="In the picture's own shape, in place of the square in its middle"><input type="checkbox" name="whole"> Whole picture</label>
      <p class="hint note" aria-live="polite"></p>
    </div>
  </section>

  <section id="sources" class="sources" aria-label="Choose a photo">
    <ul class="samples"></ul>
    <div class="live" role="group" aria-label="Moving picture" hidden>
      <button type="button" class="button" aria-keyshortcuts="Space" title="Space bar, on the picture">Freeze</button>
      <label class="field check"><input type="checkbox" name="mirror"> Mirror</label>
      <label class="field check" title="Each map is mixed with those before it"><input type="checkbox" name="steady"> Steady</label>
      <p class="rate" data-live="rate"></p>
    </div>
    <div class="actions">
      <button type="button" class="button" data-source="choose" aria-label="Choose photo">
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2.5 3.5h11v9h-11zM2.5 10.5l3-3 3 3 2-2 3 3M10.5 6.5h.01"/></svg>Photo</button>
      <button type="button" class="button" data-live-kind="camera">
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1.5 4.5h8v7h-8zM9.5 7l5-2.5v7L9.5 9"/></svg><span>Webcam</span></button>
      <button type="button" class="button" data-live-kind="file">
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1.5 3.5h13v9h-13zM4.5 3.5v9M11.5 3.5v9M1.5 8h3M11.5 8h3"/></svg><span>Video</span></button>
      <button type="button" class="button" data-live-kind="screen" hidden>
        <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1.5 3.5h13v8h-13zM5.5 14h5M8 11.5V14"/></svg><span>Screen</span></button>
      <p class="hint">or drop, or paste</p>
      <select name="camera" class="button" aria-label="Camera" hidden></select>
      <input type="file" data-source="file" accept="image/*" hidden aria-label="Photo file">
      <input type="file" data-source="video" accept="video/*" hidden aria-label="Video file">
    </div>
  </section>

  <section id="answers" class="answers" aria-labelledby="answers-title">
    <div class="top">
      <h2 id="answers-title">Answer</h2>
      <button type="button" class="button" data-teach="back" aria-label="Back to the model's own classes" hidden>Model's own</button>
      <button type="button" class="button" data-teach="open" aria-expanded="false" aria-controls="teach">Your own classes</button>
    </div>
    <ol aria-live="polite" aria-busy="true"></ol>
    <p class="hint unsure" aria-live="polite">&nbsp;</p>
  </section>

  <section id="views" class="views" aria-label="Views">
    <div id="teach" class="teach" role="group" aria-label="Teach it your own classes" hidden></div>
    <div class="tabs" role="tablist" aria-label="Views"></div>
    <p class="hint sentence"></p>
    <p class="hint refusal" aria-live="polite" hidden></p>
    <div class="panels"></div>
    <p class="hint caution"></p>
    <div id="judge" class="judge"></div>
    <div id="exports" class="exports" role="group" aria-label="Export">
      <p>Export</p>
      <button type="button" class="button" data-export="photo" title="The map over the photo" disabled>PNG with photo</button>
      <button type="button" class="button" data-export="map" title="The map alone" disabled>PNG</button>
      <button type="button" class="button" data-export="npy" title="The map's values, for numpy.load" disabled>NPY</button>
      <button type="button" class="button" data-export="json" title="The map's values and what they are" disabled>JSON</button>
      <button type="button" class="button" data-export="trace" title="Attention and tokens of every layer, as safetensors" disabled>Whole trace</button>
      <button type="button" class="button" data-pins="pin" disabled>Pin</button>
    </div>
  </section>
</div>
${MODEL_DIALOG}${NOTICES}`;
