/** What the lesson is made of, beside its chapters. Ids are those of its shadow root. */
import { HEADER, MODEL_DIALOG, NOTICES } from '../explorer/template.js';

export const TEMPLATE = `${HEADER}

<div class="dock">
  <details class="contents">
    <summary class="button"><span data-dock="chapter">Contents</span></summary>
    <nav aria-label="Chapters"><ol></ol></nav>
  </details>
  <section id="sources" class="sources" aria-label="Choose a photo">
    <ul class="samples"></ul>
    <button type="button" class="button" data-source="choose" aria-label="Choose your photo">Your photo</button>
    <input type="file" data-source="file" accept="image/*" hidden aria-label="Photo file">
  </section>
  <p class="answer" data-dock="answer" role="status">&nbsp;</p>
</div>

<article>
  <header class="opening">
    <h1>Inside a Vision Transformer</h1>
    <p class="lead">How a picture becomes an answer, told with your own photo and the numbers of the model that looks at it. Every value is computed in this page, now, and the photo stays on this
      machine.</p>
    <ol class="way" aria-label="From the photo to the answer"></ol>
    <p class="hint">Reading is enough. Every figure also answers to a pointer, to a finger and to keys.</p>
  </header>
  <div class="chapters"></div>
</article>
${MODEL_DIALOG}${NOTICES}`;
