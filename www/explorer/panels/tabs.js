import { find, make } from '../dom.js';

/**
 * The views by name, one of them open, and what it is in a sentence. ARIA's tabs: one tab stop, arrows choose.
 * @param {HTMLElement} root
 * @param {import('../view.js').View[]} views
 * @param {(id: string) => void} onChoose
 */
export function createTabs(root, views, onChoose) {
  const list = find(root, '[role=tablist]');
  const sentence = find(root, '.sentence');
  const refused = find(root, ':scope > .refusal');
  const caution = find(root, '.caution');
  const tabs = views.map((view) => {
    const { id, title, term, element } = view;
    const tab = make('button', { type: 'button', role: 'tab', id: `tab-${id}`, 'aria-controls': `view-${id}` }, [make('b', {}, [title]), ' ', make('span', {}, [term])]);
    tab.addEventListener('click', () => onChoose(id));
    for (const [name, value] of Object.entries({ id: `view-${id}`, role: 'tabpanel', 'aria-labelledby': `tab-${id}` })) element.setAttribute(name, value);
    element.classList.add('panel');
    return { view, tab, element };
  });
  list.replaceChildren(...tabs.map(({ tab }) => tab));
  find(root, '.panels').replaceChildren(...tabs.map(({ element }) => element));

  list.addEventListener('keydown', (event) => {
    const from = tabs.findIndex(({ tab }) => tab === event.target);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const { view, tab } = tabs[(to + tabs.length) % tabs.length];
    onChoose(view.id);
    tab.focus();
  });

  /** Why a view is not of this model. @type {Map<string, string>} */
  const reasons = new Map();

  /** @param {string} id */
  function say(id) {
    const shown = tabs.find(({ view }) => view.id === id);
    if (!shown) return;
    const reason = reasons.get(id);
    sentence.textContent = shown.view.sentence;
    refused.textContent = reason ?? '';
    refused.hidden = reason === undefined;
    caution.textContent = shown.view.caution;
    caution.hidden = shown.element.inert = reason !== undefined;
    shown.element.classList.toggle('refused', reason !== undefined);
  }

  return {
    /**
     * This model has no such view: it is opened all the same, to say so.
     * @param {string} id
     * @param {string | undefined} reason undefined: it has
     */
    refuse(id, reason) {
      const known = tabs.find(({ view }) => view.id === id);
      if (!known || reasons.get(id) === reason) return;
      if (reason === undefined) reasons.delete(id);
      else reasons.set(id, reason);
      for (const [name, value] of Object.entries({ 'aria-disabled': 'true', title: reason ?? '', 'aria-description': reason ?? '' })) {
        if (reason === undefined) known.tab.removeAttribute(name);
        else known.tab.setAttribute(name, value);
      }
      if (known.tab.getAttribute('aria-selected') === 'true') say(id);
    },

    /** @param {string} id */
    select(id) {
      for (const { view, tab, element } of tabs) {
        const chosen = view.id === id;
        tab.setAttribute('aria-selected', String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
        element.hidden = !chosen;
        if (!chosen) continue;
        say(id);
        // Within the row of tabs: the page itself must not move.
        list.scrollLeft = tab.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2;
      }
    },
  };
}
