import { Vitscope, type Prediction } from 'vitscope';

const loading = Vitscope.load('/models/vitscope-tiny/');
const input = document.querySelector('input')!;
const list = document.querySelector('ol')!;

input.onchange = async () => {
  const vit = await loading;
  const { top } = await vit.classify(input.files![0]);
  list.replaceChildren(...top.map(item));
};

function item({ label, score }: Prediction) {
  const element = document.createElement('li');
  element.textContent = `${label}, ${Math.round(100 * score)} %`;
  return element;
}
