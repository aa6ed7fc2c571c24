import { find, make } from '../dom.js';

/**
 * The views by name, one of them open, and what it is in a sentence. ARIA's tabs: one tab stop, arrows choose.
 * @param {HTMLElement} root
 * @param {import('../viewer.js').View[]} views
 * @param {(id: string) => void} onChoose
 */
export function createTabs(root, views, onChoose) {
  const list = find(root, '[role=tablist]');
  const sentence = find(root, '.sentence');
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

  return {
    /** @param {string} id */
    select(id) {
      for (const { view, tab, element } of tabs) {
        const chosen = view.id === id;
        tab.setAttribute('aria-selected', String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
        element.hidden = !chosen;
        if (!chosen) continue;
        sentence.textContent = view.sentence;
        caution.textContent = view.caution;
        // Within the row of tabs: the page itself must not move.
        list.scrollLeft = tab.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2;
      }
    },
  };
}
