//! Several images at once: the same bits as one by one, however many threads there are, and wherever the passes pause.

mod common;

use common::{FIXTURES, STAGED};
use vitscope::classifier::Several;
use vitscope::model::Intervention;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// So many images, no two alike.
fn images(first: &[f32], count: usize) -> Vec<Vec<f32>> {
    (0..count).map(|i| first.iter().map(|x| x * (1.0 - 0.2 * i as f32) + 0.1 * i as f32).collect()).collect()
}

fn on_each_number_of_threads(work: impl Fn(usize) + Sync + Send) {
    #[cfg(not(feature = "threads"))]
    work(1);
    #[cfg(feature = "threads")]
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| work(threads));
    }
}

#[test]
fn several_at_once_are_answered_as_one_by_one() {
    for fixture in FIXTURES.iter().chain(STAGED) {
        for dtype in ["f32", "int8"] {
            on_each_number_of_threads(|threads| {
                let mut model = fixture.load(Some(dtype)).unwrap();
                let images = images(&fixture.expected("pixel_values"), 5);
                let mut alone = Vec::new();
                for image in &images {
                    let logits = model.logits(image).unwrap().to_vec();
                    alone.push([logits, model.features().to_vec()]);
                }
                let slices: Vec<_> = images.iter().map(Vec::as_slice).collect();
                let together = model.answers(&slices).unwrap();
                let together: Vec<_> = together.into_iter().map(|answer| [answer.logits, answer.features]).collect();
                assert_eq!(together, alone, "{} {dtype}, {threads} threads", fixture.name);
                assert!(model.answers(&[]).unwrap().is_empty());
                assert_eq!(model.logits(&images[2]).unwrap(), alone[2][0], "{}: afterwards", fixture.name);
            });
        }
    }
}

#[test]
fn all_of_them_pause_and_go_on() {
    for fixture in FIXTURES {
        on_each_number_of_threads(|threads| {
            let mut model = fixture.load(Some("int8")).unwrap();
            let images = images(&fixture.expected("pixel_values"), 3);
            let told = Intervention { without_heads: vec![[0, 0]], ..Intervention::default() };
            for told in [None, Some(told)] {
                let mut alone = Vec::new();
                for image in &images {
                    model.restart();
                    told.iter().for_each(|told| model.intervene(told.clone()).unwrap());
                    while model.advance(image, &mut (), &|| false).unwrap() {}
                    alone.push(model.answer().to_vec());
                }
                let mut several = Several::default();
                // Some that are left in the midst of it do not show in those that follow.
                for passes in [1, 99] {
                    model.restart();
                    several.restart();
                    for image in &images[1..] {
                        several.add(&model, image.len()).unwrap().copy_from_slice(image);
                    }
                    if let Some(told) = &told {
                        several.intervene(&model, told).unwrap();
                        model.intervene(told.clone()).unwrap();
                    }
                    for _ in 0..passes {
                        if !several.advance(&mut model, &images[0], &mut (), &|| true).unwrap() {
                            break;
                        }
                    }
                }
                let others: Vec<_> = several.answers().map(|[logits, _]| logits).collect();
                let what = format!("{} on {threads} threads, told {told:?}", fixture.name);
                assert_eq!(model.answer(), alone[0], "{what}");
                assert_eq!(others, [&alone[1], &alone[2]], "{what}");
            }
        });
    }
}

#[test]
fn what_is_no_image_is_refused_and_the_others_go_on() {
    let mut model = FIXTURES[0].load(None).unwrap();
    let images = images(&FIXTURES[0].expected("pixel_values"), 2);
    let expected = model.logits(&images[0]).unwrap().to_vec();
    for wrong in [[&images[0][..], &images[1][1..]], [&images[0][1..], &images[1][..]]] {
        let message = model.answers(&wrong).err().unwrap().to_string();
        assert!(message.contains("pixel values were given"), "{message}");
        assert_eq!(model.answers(&[&images[0]]).unwrap()[0].logits, expected);
    }
}
