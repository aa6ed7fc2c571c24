import { Vitscope } from 'vitscope';

const loading = Vitscope.load('/models/vitscope-tiny/');

document.querySelector('input').onchange = async ({ target }) => {
  const vit = await loading;
  const { top } = await vit.classify(target.files[0]);
  document.querySelector('ol').replaceChildren(...top.map(({ label, score }) => {
    const item = document.createElement('li');
    item.textContent = `${label}, ${Math.round(100 * score)} %`;
    return item;
  }));
};
