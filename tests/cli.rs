//! The command line as a user meets it: output, exit codes, and what it says when something is wrong.
#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

mod common;

use common::edit::{doubled, renamed};
use common::{FIXTURES, cosine, floats, named, relative_error};
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vitscope::checkpoint::{Values, write};

/// The small model by name: its shape and its answers are written out here.
const TINY: &str = "models/vitscope-tiny";
const CHELSEA: &str = "www/samples/chelsea.jpg";

/// Runs in the repository, so that paths are as a reader of the README would type them.
fn vitscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitscope"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = vitscope(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit 1, one clear sentence on standard error, nothing that looks like a crash.
#[track_caller]
fn fails(arguments: &[&str], parts: &[&str]) {
    let output = vitscope(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "`{stderr}` should mention `{part}`");
    }
}

/// A fresh folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn inspect_tells_what_a_model_is() {
    let output = succeeds(&["inspect", TINY]);
    for part in ["ViT (Hugging Face)", "64 × 64", "layers      6", "heads       6 of 32", "2,736,618", "I8", "F32"] {
        assert!(output.contains(part), "{output}");
    }
    let output = succeeds(&["inspect", "tests/fixtures/hf_aimv2_native"]);
    for part in ["RMSNorm     eps 1e-2", "positions   sinusoidal", "pooling     Attention"] {
        assert!(output.contains(part), "{output}");
    }
}

#[test]
fn classify_prints_lists_and_json() {
    let output = succeeds(&["classify", TINY, "www/samples/coffee.jpg"]);
    assert!(output.contains("espresso") && output.lines().count() == 6, "{output}");

    let output = succeeds(&["classify", TINY, CHELSEA, "www/samples/coffee.jpg", "--top", "3", "--json"]);
    let json: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(json[0]["image"], CHELSEA);
    assert_eq!(json[1]["top"].as_array().unwrap().len(), 3);
    assert_eq!(json[1]["top"][0]["label"], "espresso");
    assert_eq!(json[1]["top"][0]["index"], 39);
    let scores: Vec<f64> = (0..3).map(|i| json[0]["top"][i]["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] < 1.0, "{scores:?}");
}

#[test]
fn trace_from_pixel_values_equals_pytorch() {
    let out = folder("trace");
    for fixture in FIXTURES {
        let path = out.join(format!("{}.safetensors", fixture.name));
        let model = format!("tests/fixtures/{}", fixture.name);
        let expected = format!("{model}/expected.safetensors");
        succeeds(&["trace", &model, "--pixel-values", &expected, "-o", text(&path)]);
        let bytes = fs::read(path).unwrap();
        for tensor in ["pixel_values", fixture.result(), "attentions", "hidden_states"] {
            let error = relative_error(&floats(&bytes, tensor), &fixture.expected(tensor));
            assert!(error < 1e-4, "{} {tensor}: {error:e}", fixture.name);
        }
    }
}

/// An array a layer, under the names that the package gives them.
#[test]
fn a_trace_of_stages_has_a_tensor_for_each_layer() {
    let path = folder("trace-stages").join("trace.safetensors");
    for name in ["hf_swin", "timm_sam"] {
        let model = format!("tests/fixtures/{name}");
        let expected = format!("{model}/expected.safetensors");
        succeeds(&["trace", &model, "--pixel-values", &expected, "-o", text(&path)]);
        let (trace, expected) = (fs::read(&path).unwrap(), fs::read(expected).unwrap());
        let (ours, theirs) = (SafeTensors::deserialize(&trace).unwrap(), SafeTensors::deserialize(&expected).unwrap());
        let mut compared = 0;
        for tensor in theirs.names().into_iter().filter(|tensor| tensor.starts_with(['a', 'h'])) {
            assert_eq!(ours.tensor(tensor).unwrap().shape(), theirs.tensor(tensor).unwrap().shape(), "{name} {tensor}");
            assert!(relative_error(&floats(&trace, tensor), &floats(&expected, tensor)) < 1e-4, "{name} {tensor}");
            compared += 1;
        }
        assert!(compared > 3 && ours.tensor("attentions").is_err());
    }
}

/// Every view, by its name on the command line, has the shape the README says, and is PyTorch's where a fixture holds it with these options.
#[test]
fn explain_writes_every_view() {
    let out = folder("explain");
    let model = "tests/fixtures/hf_dinov2_reg";
    let pixels = format!("{model}/expected.safetensors");
    let reference = named("hf_dinov2_reg").explain.unwrap();
    for (name, shape) in [
        ("head layer=0 head=max query=3,1", &[4, 4][..]),
        ("rollout head=mean discard=0.3 query=register:1", &[4, 4]),
        ("gradient-rollout target=2 discard=0.8 query=cls", &[4, 4]),
        ("chefer target=2 query=cls", &[4, 4]),
        ("grad-cam target=4 layer=1", &[4, 4]),
        ("logit-lens", &[3, 5]),
        ("patch-lens layer=1 target=4", &[4, 4]),
        ("features layer=1", &[4, 4, 3]),
        ("similarity layer=1 query=1,2", &[4, 4]),
        ("occlusion window=2 stride=1 target=2", &[4, 4]),
        ("distance", &[2, 4]),
        ("entropy", &[2, 4]),
        ("positions", &[16, 16]),
        ("filters count=3", &[3, 3, 4, 4]),
    ] {
        let path = out.join("map.safetensors");
        let (method, options) = name.split_once(' ').unwrap_or((name, ""));
        let options = options.split_terminator(' ').flat_map(|option| {
            let (key, value) = option.split_once('=').unwrap();
            [format!("--{key}"), value.to_owned()]
        });
        let options: Vec<String> = options.collect();
        let mut arguments = vec!["explain", model, "--pixel-values", &pixels, "-o", text(&path), "--method", method];
        arguments.extend(options.iter().map(String::as_str));
        succeeds(&arguments);
        let bytes = fs::read(&path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("map").unwrap().shape(), shape, "{name}");
        let error = relative_error(&floats(&bytes, "map"), &floats(reference, name));
        assert!(error < 1e-4, "{name}: {error:e}");
    }
}

/// The same map in every form, and left-out options are the last layer, the mean of heads, the class token and the likeliest class.
#[test]
fn explain_writes_every_form() {
    let out = folder("explain-forms");
    let path = |name: &str| out.join(name).to_str().unwrap().to_owned();
    let explain = |form: &str, more: &[&str]| {
        let path = path(form);
        succeeds(&[&["explain", TINY, "www/samples/coffee.jpg", "-o", &path], more].concat());
        fs::read(path).unwrap()
    };
    let map = floats(&explain("map.safetensors", &["--method", "chefer"]), "map");
    let named = ["--method", "chefer", "--target", "Espresso", "--query", "cls"];
    assert_eq!(floats(&explain("named.safetensors", &named), "map"), map);

    let npy = explain("map.npy", &["--method", "chefer"]);
    assert!(npy.starts_with(b"\x93NUMPY") && String::from_utf8_lossy(&npy[..128]).contains("(16, 16)"));
    let values: Vec<u8> = map.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(npy.ends_with(&values));
    let json: Value = serde_json::from_slice(&explain("map.json", &["--method", "chefer"])).unwrap();
    assert_eq!(json["shape"], serde_json::json!([16, 16]));
    assert_eq!(json["data"][9].as_f64().unwrap() as f32, map[9]);
    assert!(json["text"].as_str().unwrap().contains("espresso"));

    let size = |png: &[u8]| png::Decoder::new(std::io::Cursor::new(png.to_vec())).read_info().unwrap().info().size();
    let photo = explain("over.png", &["--method", "chefer"]);
    assert_eq!(size(&photo), (600, 400));
    let alone = explain("alone.png", &["--method", "chefer", "--alone", "--nearest"]);
    assert_eq!(size(&alone), (512, 512));
    assert_ne!(photo, explain("red.png", &["--method", "chefer", "--colormap", "magma"]));

    let judged = explain("judged.safetensors", &["--method", "chefer", "--curves", "8"]);
    let (deletion, insertion) = (floats(&judged, "deletion"), floats(&judged, "insertion"));
    assert_eq!((deletion.len(), insertion.len()), (9, 9));
    assert_eq!(deletion[0], insertion[8], "both ends that see all patches");
    assert_eq!(deletion[8], insertion[0], "and those that see none");
}

#[test]
fn explain_refuses_with_a_remedy() {
    let out = folder("explain-bad").join("map.png");
    let explain = |more: &[&str], parts: &[&str]| {
        fails(&[&["explain", TINY, CHELSEA, "-o", text(&out)], more].concat(), parts);
        assert!(!out.exists());
    };
    explain(&["--method", "chefer", "--target", "unicorn"], &["unicorn", "vitscope classify"]);
    explain(&["--method", "chefer", "--target", "42"], &["`42`", "below 42"]);
    explain(&["--method", "head", "--layer", "6"], &["layer 6", "has 6"]);
    explain(&["--method", "head", "--head", "sum"], &["`sum`", "mean"]);
    explain(&["--method", "rollout", "--head", "3"], &["`3`", "mean"]);
    explain(&["--method", "similarity", "--query", "16,0"], &["patch 16,0", "15,15"]);
    explain(&["--method", "logit-lens"], &["no picture", ".npy"]);
    explain(&["--method", "features", "--curves", "4"], &["a value a patch"]);
    explain(&["--method", "head", "--opacity", "2"], &["opacity", "0 and 1"]);
    let nameless = folder("explain-nameless").join("map.tiff");
    fails(&["explain", TINY, CHELSEA, "-o", text(&nameless), "--method", "head"], &["map.tiff", ".safetensors"]);
    fails(
        &["explain", "tests/fixtures/hf_dinov2_model", CHELSEA, "-o", text(&out), "--method", "chefer"],
        &["no classes"],
    );
}

#[test]
fn images_of_another_size() {
    let path = folder("size").join("trace.safetensors");
    let output = succeeds(&["trace", "tests/fixtures/hf_vit_sizes", CHELSEA, "-o", text(&path), "--size", "30x15"]);
    for part in ["pixel_values [3, 30, 15]", "logits [4]", "features [12]", "attentions [1, 2, 19, 19]"] {
        assert!(output.contains(part), "{output}");
    }
    assert_eq!(succeeds(&["classify", TINY, CHELSEA, "--size", "96"]).lines().count(), 6);
    let refused = vitscope(&["classify", TINY, CHELSEA, "--size", "big"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("224x448"));
    fails(&["classify", TINY, CHELSEA, "--size", "3"], &["smaller than a patch"]);
}

#[test]
fn models_without_classes_say_so_and_zero_shot_ones_name_their_texts() {
    fails(&["classify", "tests/fixtures/hf_dinov2_model", CHELSEA], &["no classes", "vitscope trace"]);
    let answer = succeeds(&["classify", "tests/fixtures/hf_clip_zero_shot", CHELSEA, "--top", "9"]);
    let labels = &named("hf_clip_zero_shot").load(None).unwrap().config().labels.clone();
    assert!(labels.iter().all(|label| answer.contains(label)), "{answer}");
    // The texts travel with a quantised model.
    let out = folder("zero-shot");
    succeeds(&["quantize", "tests/fixtures/hf_clip_zero_shot", "-o", text(&out)]);
    assert_eq!(succeeds(&["classify", text(&out), CHELSEA, "--top", "9"]).lines().count(), answer.lines().count());
}

/// A copy of a tiny model whose config says something else.
fn reconfigured(name: &str, fixture: &str, changes: Value) -> PathBuf {
    let model = folder(name);
    let mut config: Value = serde_json::from_str(named(fixture).config).unwrap();
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    fs::write(model.join("model.safetensors"), named(fixture).weights).unwrap();
    model
}

/// What the numbers are is said, and is what the model was trained to give.
#[test]
fn scores_are_what_the_model_was_trained_for() {
    for (name, scores) in
        [("hf_vit_multi_label", "sigmoid"), ("timm_vit_single", "sigmoid"), ("hf_vit_regression", "none")]
    {
        let model = format!("tests/fixtures/{name}");
        let logits = named(name).load(None).unwrap().config().classes();
        let json: Value = serde_json::from_str(&succeeds(&["classify", &model, CHELSEA, "--json"])).unwrap();
        assert_eq!(json[0]["scores"], scores);
        assert_eq!(json[0]["top"].as_array().unwrap().len(), logits);
        let said = succeeds(&["classify", &model, CHELSEA]);
        assert_eq!(said.contains('%'), scores == "sigmoid", "{said}");
        let best = json[0]["top"][0]["score"].as_f64().unwrap();
        let best = if scores == "none" { format!("{best:.4}") } else { format!("{:.1} %", 100.0 * best) };
        assert!(said.lines().nth(1).unwrap().contains(&best), "{said}: {best}");
        assert!(succeeds(&["inspect", &model]).contains("scores"));
    }
    let json: Value = serde_json::from_str(&succeeds(&["classify", TINY, CHELSEA, "--json"])).unwrap();
    assert_eq!(json[0]["scores"], "softmax");
    // A quantised folder is the same model.
    let out = folder("regression-int8");
    succeeds(&["quantize", "tests/fixtures/hf_vit_regression", "-o", text(&out)]);
    assert!(succeeds(&["classify", text(&out), CHELSEA, "--json"]).contains("\"none\""));
}

/// Each view has the grid of its layer, or of the last stage; curves follow either, and what means nothing of windows says why.
#[test]
fn explaining_a_model_of_stages() {
    let model = "tests/fixtures/hf_swin";
    let out = folder("explain-stages").join("map.json");
    let explain = ["explain", model, CHELSEA, "-o", text(&out), "--method"];
    for (more, shape) in [
        (&["grad-cam", "--curves", "3"][..], "[3, 3]"),
        (&["occlusion", "--window", "1"], "[3, 3]"),
        (&["head", "--layer", "1", "--query", "11,0", "--curves", "3"], "[12, 12]"),
        (&["similarity", "--layer", "3", "--curves", "2"], "[6, 6]"),
        (&["patch-lens", "--layer", "4"], "[3, 3]"),
        (&["logit-lens"], "[2, 5]"),
        (&["entropy"], "[6, 4]"),
    ] {
        let said = succeeds(&[&explain[..], more].concat());
        assert!(said.contains(&format!("map {shape}: ")), "{said}");
        assert_eq!(said.contains("area under deletion"), more.contains(&"--curves"), "{said}");
    }
    for method in ["chefer", "gradient-rollout", "rollout"] {
        fails(&[&explain[..], &[method]].concat(), &[method, "is not defined for this model", "within windows"]);
    }
    fails(&[&explain[..], &["patch-lens", "--layer", "1"]].concat(), &["last stage"]);
    fails(&[&explain[..], &["grad-cam", "--layer", "1"]].concat(), &["last layer"]);
    let png = out.with_extension("png");
    succeeds(&["explain", model, CHELSEA, "-o", text(&png), "--method", "grad-cam"]);

    let said = succeeds(&["inspect", model]);
    let stage = "stage 0     grid 12 × 12, width 6, layers 2, heads 2 of 3, MLP 9, windows of 3 × 3, every second layer's shifted";
    assert!(said.contains(stage) && said.contains("stage 2     grid 3 × 3"), "{said}");
    let said = succeeds(&["inspect", "tests/fixtures/timm_sam"]);
    assert!(
        said.contains("windows of 3 × 3, none in layers 1, 3") && said.contains("stage 1     grid 5 × 5, width 8\n"),
        "{said}"
    );
    let said = succeeds(&["inspect", "tests/fixtures/hf_mobilevit"]);
    assert!(said.contains("each token attends to those at its place in every 2 × 2"), "{said}");
}

/// A regression's curves have no area, and its occlusion is of the value.
#[test]
fn explaining_a_number() {
    let out = folder("explain-number").join("map.json");
    let explain = |model: &str, more: &[&str]| {
        let said = succeeds(&[&["explain", model, CHELSEA, "-o", text(&out)], more].concat());
        (said, serde_json::from_slice::<Value>(&fs::read(&out).unwrap()).unwrap())
    };
    let judged = ["--method", "occlusion", "--curves", "4"];
    let (said, json) = explain("tests/fixtures/hf_vit_regression", &judged);
    assert!(said.contains("what the value of class 0") && !said.contains("area"), "{said}");
    let answer = succeeds(&["classify", "tests/fixtures/hf_vit_regression", CHELSEA, "--json"]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let [whole, score] = [&json["curves"]["deletion"][0], &answer[0]["top"][0]["score"]].map(|x| x.as_f64().unwrap());
    assert!((whole - score).abs() < 1e-6, "with all patches it is the answer: {whole}, not {score}");
    let (said, json) = explain("tests/fixtures/hf_vit_multi_label", &judged);
    assert!(said.contains("what the probability of class") && said.contains("area under deletion"), "{said}");
    assert!(json["curves"]["insertion"].as_array().unwrap().iter().all(|p| (0.0..1.0).contains(&p.as_f64().unwrap())));
}

#[test]
fn accuracy_of_what_has_none_is_refused() {
    let images = text(&folder("eval-other")).to_owned();
    for (model, part) in [
        ("hf_vit_multi_label", "multi_label_classification"),
        ("hf_vit_regression", "regression"),
        ("timm_vit_single", "single class"),
        ("hf_vit_model", "no classes"),
    ] {
        fails(&["eval", &format!("tests/fixtures/{model}"), &images], &[part]);
    }
}

/// `tests/class_names.json` has the rule; here it is that both commands have it.
#[test]
fn names_of_classes_mean_the_same_everywhere() {
    let labels = |names: [&str; 4]| serde_json::json!({"id2label": {"0": names[0], "1": names[1], "2": names[2], "3": names[3]}});
    let out = folder("names").join("map.json");
    let target = |model: &Path, name: &str| {
        succeeds(&["explain", text(model), CHELSEA, "-o", text(&out), "--method", "chefer", "--target", name])
    };
    let images = folder("names-images");
    let eval = |name: &str| {
        drop(fs::remove_dir_all(&images));
        fs::create_dir_all(images.join(name)).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(CHELSEA), images.join(name).join("photo.jpg")).unwrap();
        text(&images)
    };
    // Of the four classes, which is the answer? The folder of that name scores, those of the others don't.
    let hit = |model: &Path, name: &str| {
        let json: Value = serde_json::from_str(&succeeds(&["eval", text(model), eval(name), "--json"])).unwrap();
        json["top1"] == 1.0
    };
    let answer = |model: &Path| {
        let json: Value = serde_json::from_str(&succeeds(&["classify", text(model), CHELSEA, "--json"])).unwrap();
        json[0]["top"][0]["index"].as_u64().unwrap()
    };
    for (labels, name, index) in [
        (labels(["polish", "Polish", "tabby, tabby cat", "d"]), "Polish", 1),
        (labels(["polish", "Polish", "tabby, tabby cat", "d"]), "Tabby Cat", 2),
        (labels(["0", "3", "10", "2"]), "2", 3),
        (labels(["0", "3", "10", "2"]), "3", 1),
        (labels(["a", "b", "c", "d"]), "2", 2),
    ] {
        let model = reconfigured("names-model", "hf_vit_sizes", labels);
        let said = target(&model, name);
        assert!(said.contains(&format!("class {index} (")), "{said}");
        assert_eq!(hit(&model, name), answer(&model) == index, "{name}");
    }
    let cranes = reconfigured("names-cranes", "hf_vit_sizes", labels(["a", "crane", "b", "crane"]));
    let explain = ["explain", text(&cranes), CHELSEA, "-o", text(&out), "--method", "chefer", "--target", "crane"];
    fails(&explain, &["`crane`", "several classes: 1, 3."]);
    fails(&["eval", text(&cranes), eval("crane")], &["names-images/crane", "several classes: 1, 3."]);
}

/// timm's ImageNet models name no classes.
#[test]
fn a_thousand_classes_without_names_are_imagenets() {
    let model = folder("imagenet");
    let d = 8;
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("cls_token".into(), vec![1, 1, d]),
        ("pos_embed".into(), vec![1, 5, d]),
        ("patch_embed.proj.weight".into(), vec![d, 3, 4, 4]),
        ("patch_embed.proj.bias".into(), vec![d]),
        ("head.weight".into(), vec![1000, d]),
        ("head.bias".into(), vec![1000]),
    ];
    for norm in ["norm", "blocks.0.norm1", "blocks.0.norm2"] {
        shapes.extend(["weight", "bias"].map(|part| (format!("{norm}.{part}"), vec![d])));
    }
    for (layer, outputs) in [("attn.qkv", 3 * d), ("attn.proj", d), ("mlp.fc1", d), ("mlp.fc2", d)] {
        shapes.push((format!("blocks.0.{layer}.weight"), vec![outputs, d]));
        shapes.push((format!("blocks.0.{layer}.bias"), vec![outputs]));
    }
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let mut values = vec![0.0; shape.iter().product()];
        if name == "head.bias" {
            values[1] = 9.0;
        }
        (name, shape, Values::F32(values))
    });
    fs::write(model.join("model.safetensors"), write(tensors.collect(), None).unwrap()).unwrap();
    let config = r#"{"architecture": "vit_tiny_patch16_224", "model_args": {"img_size": 8, "num_heads": 2}}"#;
    fs::write(model.join("config.json"), config).unwrap();
    let answer = succeeds(&["classify", text(&model), CHELSEA, "--top", "1"]);
    assert!(answer.contains("goldfish, Carassius auratus"), "{answer}");
    // Their names are found as any others: the bird and the machine are both called crane.
    let out = model.join("map.json");
    let explain = ["explain", text(&model), CHELSEA, "-o", text(&out), "--method", "patch-lens", "--target"];
    assert!(succeeds(&[&explain[..], &["carassius auratus"]].concat()).contains("class 1 (goldfish"));
    fails(&[&explain[..], &["crane"]].concat(), &["several classes: 134, 517."]);
}

#[test]
fn trace_of_an_image_states_its_shapes() {
    let path = folder("trace-image").join("trace.safetensors");
    let output = succeeds(&["trace", TINY, CHELSEA, "-o", text(&path), "--dtype", "f32"]);
    for part in
        ["pixel_values [3, 64, 64]", "logits [42]", "attentions [6, 6, 257, 257]", "hidden_states [7, 257, 192]"]
    {
        assert!(output.contains(part), "{output}");
    }
}

#[test]
fn quantize_makes_a_complete_model_folder() {
    let out = folder("quantize").join("made").join("here");
    let output = succeeds(&["quantize", "tests/fixtures/hf_vit", "-o", text(&out)]);
    assert!(output.contains("dB  classifier.weight [11, 36]") && output.contains("→"), "{output}");
    let inspected = succeeds(&["inspect", text(&out)]);
    assert!(inspected.contains("I8"), "{inspected}");
    for file in ["config.json", "preprocessor_config.json"] {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hf_vit").join(file);
        assert_eq!(fs::read(out.join(file)).unwrap(), fs::read(original).unwrap());
    }
    // Quantising what is quantised changes nothing, and may replace what quantize itself wrote.
    let once = fs::read(out.join("model.safetensors")).unwrap();
    succeeds(&["quantize", text(&out), "-o", text(&out)]);
    assert!(fs::read(out.join("model.safetensors")).unwrap() == once, "the file changed");

    let trace = out.join("trace.safetensors");
    let fixture = named("hf_vit");
    let expected = "tests/fixtures/hf_vit/expected.safetensors";
    succeeds(&["trace", text(&out), "--pixel-values", expected, "-o", text(&trace)]);
    assert!(cosine(&floats(&fs::read(trace).unwrap(), "logits"), &fixture.expected("logits")) > 0.99);
}

/// An image processor nested in `processor_config.json`, as transformers 5 saves it, wins over `preprocessor_config.json`, and travels with the
/// quantised model.
#[test]
fn processor_config_is_read_and_kept() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (model, made) = (folder("processor-config"), folder("processor-config-made"));
    for file in ["config.json", "model.safetensors", "preprocessor_config.json"] {
        fs::copy(fixtures.join("hf_vit").join(file), model.join(file)).unwrap();
    }
    assert!(succeeds(&["inspect", text(&model)]).contains("processor   preprocessor_config.json"));
    let processor = fs::read_to_string(fixtures.join("preprocess/hf_shortest_edge_crop.json")).unwrap();
    let nested = format!(r#"{{"image_processor": {processor}, "processor_class": "CLIPProcessor"}}"#);
    fs::write(model.join("processor_config.json"), &nested).unwrap();

    succeeds(&["quantize", text(&model), "-o", text(&made)]);
    assert_eq!(fs::read_to_string(made.join("processor_config.json")).unwrap(), nested);
    let photo = fixtures.join("preprocess/photo.png");
    let expected = fs::read(fixtures.join("preprocess/expected.safetensors")).unwrap();
    for model in [&model, &made] {
        assert!(succeeds(&["inspect", text(model)]).contains("processor   processor_config.json"));
        let trace = model.join("trace.safetensors");
        succeeds(&["trace", text(model), text(&photo), "-o", text(&trace)]);
        let values = floats(&fs::read(trace).unwrap(), "pixel_values");
        assert!(relative_error(&values, &floats(&expected, "photo/hf_shortest_edge_crop")) < 1e-6);
    }
    fs::write(made.join("processor_config.json"), nested.replace("ViTImageProcessor", "PerceiverImageProcessor"))
        .unwrap();
    fails(&["classify", text(&made), CHELSEA], &["processor_config.json: ", "PerceiverImageProcessor"]);
}

/// Names that other programs wrapped and 64 bits are read by every command, and what is quantised of them loads.
#[test]
fn wrapped_names_and_doubles_everywhere() {
    let expected = "tests/fixtures/hf_vit/expected.safetensors";
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hf_vit");
    let model = folder("wrapped");
    fs::copy(source.join("config.json"), model.join("config.json")).unwrap();
    let weights = renamed(&doubled(named("hf_vit").weights), |name| format!("module._orig_mod.{name}"));
    fs::write(model.join("model.safetensors"), weights).unwrap();
    assert!(succeeds(&["inspect", text(&model)]).contains("F64"));
    let quantized = folder("wrapped-quantized");
    succeeds(&["quantize", text(&model), "-o", text(&quantized)]);
    for (model, least) in [(model, 0.999_999), (quantized, 0.99)] {
        let trace = model.join("trace.safetensors");
        succeeds(&["trace", text(&model), "--pixel-values", expected, "-o", text(&trace)]);
        let logits = floats(&fs::read(trace).unwrap(), "logits");
        assert!(cosine(&logits, &named("hf_vit").expected("logits")) > least);
    }
    let quantized = folder("timm-wrapper-quantized");
    succeeds(&["quantize", "tests/fixtures/timm_wrapper", "-o", text(&quantized)]);
    assert!(succeeds(&["inspect", text(&quantized)]).contains("ViT (timm)"));
}

/// open_clip's files are taken where the usual ones are not both there; a quantised folder has the usual names.
#[test]
fn open_clip_folders() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (model, made) = (folder("open-clip"), folder("open-clip-quantized"));
    for file in ["open_clip_config.json", "open_clip_model.safetensors"] {
        fs::copy(source.join("open_clip").join(file), model.join(file)).unwrap();
    }
    fs::copy(source.join("hf_clip/config.json"), model.join("config.json")).unwrap();
    assert!(succeeds(&["inspect", text(&model)]).contains("CLIP (open_clip)"));
    succeeds(&["quantize", text(&model), "-o", text(&made)]);
    assert!(made.join("config.json").exists() && made.join("model.safetensors").exists());
    assert!(succeeds(&["inspect", text(&made)]).contains("CLIP (open_clip)"));
    fs::copy(source.join("hf_clip/model.safetensors"), model.join("model.safetensors")).unwrap();
    assert!(succeeds(&["inspect", text(&model)]).contains("CLIP (Hugging Face)"));
}

/// A folder without the weights or the config says what it has in their place, and what to do.
#[test]
fn what_is_there_instead_of_a_model_is_named() {
    let model = folder("instead");
    let holding = |names: &[&str], parts: &[&str]| {
        drop(fs::remove_dir_all(&model));
        fs::create_dir_all(&model).unwrap();
        names.iter().for_each(|name| fs::write(model.join(name), "{}").unwrap());
        fails(&["inspect", text(&model)], &[&[text(&model)], parts].concat());
    };
    for (name, remedy) in [
        ("pytorch_model.bin", "save_pretrained"),
        ("pytorch_model.bin.index.json", "save_pretrained"),
        ("checkpoint.pth", "save_pretrained"),
        ("last.ckpt", "save_pretrained"),
        ("tf_model.h5", "from_tf=True"),
        ("flax_model.msgpack", "from_flax=True"),
        ("vit.npz", "timm.create_model"),
        ("model.onnx", "made from"),
        ("onnx", "made from"),
        ("ggml-model-f16.gguf", "made from"),
        ("model.fp16.safetensors", "rename"),
        ("diffusion_pytorch_model.safetensors", "diffusers"),
        ("open_clip_pytorch_model.bin", "open_clip"),
        ("open_clip_model.safetensors", "save_for_hf"),
        ("adapter_model.safetensors", "merge_and_unload()"),
        ("adapter_model.bin", "LoRA"),
    ] {
        holding(&["config.json", name], &["no model.safetensors", name, remedy]);
        holding(&[name], &["no config.json", name, remedy]);
    }
    holding(
        &["README.md", "adapter_config.json", "adapter_model.safetensors", "training_args.bin"],
        &["adapter_model.safetensors", "merge"],
    );
    holding(&["config.json", "training_args.bin"], &["no model.safetensors", "save_pretrained"]);
    holding(&["README.md"], &["neither config.json nor model.safetensors"]);

    // Weights without a config tell whose names they have.
    for (fixture, parts) in
        [("timm_vit", &["config.json", "`blocks.0.", "save_for_hf"]), ("hf_vit", &["config.json", "`vit.", "Fetch"])]
    {
        drop(fs::remove_file(model.join("README.md")));
        fs::write(model.join("model.safetensors"), named(fixture).weights).unwrap();
        fails(&["inspect", text(&model)], parts);
    }
    fails(
        &["trace", "tests/fixtures/hf_vit", CHELSEA, "-o", text(&model.join("out")), "--size", "100000"],
        &["image size of 100000 × 100000"],
    );
}

#[test]
fn four_bits_halve_the_file_and_never_replace_eight() {
    let (eight, four) = (folder("eight-bits"), folder("four-bits"));
    succeeds(&["quantize", TINY, "-o", text(&eight)]);
    // From 8 bits, since that is how the models of the page are stored.
    let output = succeeds(&["quantize", text(&eight), "--bits", "4", "-o", text(&four)]);
    assert!(output.contains("dB  classifier.weight [42, 192]") && !output.contains("gets 8 bits"), "{output}");
    let size = |folder: &Path| fs::metadata(folder.join("model.safetensors")).unwrap().len();
    assert!(size(&four) < 2_000_000 && size(&eight) > size(&four) * 3 / 2);
    assert!(succeeds(&["inspect", text(&four)]).contains("U8"));
    let classified = succeeds(&["classify", text(&four), "www/samples/coffee.jpg", "--top", "1"]);
    assert!(classified.contains("espresso"), "{classified}");

    fails(&["quantize", TINY, "--bits", "4", "-o", text(&eight)], &["model.safetensors", "Choose another folder"]);
    succeeds(&["quantize", text(&four), "-o", text(&four)]);
}

/// The one way the command line could destroy something of value.
#[test]
fn quantize_never_overwrites_a_model_it_did_not_make() {
    let out = folder("precious");
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/timm_vit/model.safetensors");
    fs::copy(weights, out.join("model.safetensors")).unwrap();
    let before = fs::read(out.join("model.safetensors")).unwrap();
    fails(&["quantize", "tests/fixtures/hf_vit", "-o", text(&out)], &["model.safetensors", "Choose another folder"]);
    assert_eq!(fs::read(out.join("model.safetensors")).unwrap(), before);
}

#[test]
fn eval_counts_hits() {
    let images = folder("eval");
    for (label, sample) in [("espresso", "coffee"), ("39", "coffee"), ("goldfish", "rocket")] {
        let class = images.join(label);
        fs::create_dir_all(&class).unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("www/samples/{sample}.jpg"));
        fs::copy(sample, class.join("photo.jpg")).unwrap();
        fs::write(class.join("notes.txt"), "not an image").unwrap();
        fs::write(class.join("._photo.jpg"), "what macOS keeps beside it").unwrap();
    }
    fs::create_dir_all(images.join(".ipynb_checkpoints")).unwrap();
    let json: Value = serde_json::from_str(&succeeds(&["eval", TINY, text(&images), "--json"])).unwrap();
    assert_eq!(json["images"], 3);
    assert_eq!(json["dtype"], "int8");
    assert!((json["top1"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{json}");
    assert!(json["images_per_second"].as_f64().unwrap() > 0.0);
    assert!(succeeds(&["eval", TINY, text(&images), "--dtype", "f32"]).contains("top-1"));

    fs::create_dir_all(images.join("unicorn")).unwrap();
    fails(&["eval", TINY, text(&images)], &["unicorn", "no label"]);
    fails(&["eval", TINY, text(&folder("eval-empty"))], &["holds no images"]);
}

/// Whatever command reads it: a picture is refused where its end is missing, and where it has more pixels than are allowed.
#[test]
fn pictures_are_read_whole_or_not_at_all() {
    let out = folder("pictures");
    let photo = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(CHELSEA)).unwrap();
    let half = out.join("espresso").join("half.jpg");
    fs::create_dir_all(half.parent().unwrap()).unwrap();
    fs::write(&half, &photo[..photo.len() / 2]).unwrap();
    let (half, classes, map) = (text(&half), text(&out), out.join("map.npy"));
    for arguments in [
        &["classify", TINY, half][..],
        &["trace", TINY, half, "-o", text(&map)],
        &["explain", TINY, half, "--method", "chefer", "-o", text(&map)],
        &["eval", TINY, classes],
    ] {
        fails(arguments, &["half.jpg", "can't be decoded", "truncated"]);
        fs::write(half, &photo).unwrap();
        fails(&[arguments, &["--max-pixels", "1000"]].concat(), &["half.jpg", "451 × 300", "1000", "--max-pixels"]);
        succeeds(&[arguments, &["--max-pixels", "135300"]].concat());
        fs::write(half, &photo[..photo.len() / 2]).unwrap();
    }
    let refused = vitscope(&["classify", TINY, CHELSEA, "--max-pixels", "0"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("1..=1073741823"));
}

/// The map over a long photo that a model pads reaches far past its edges.
#[test]
fn a_map_too_large_to_draw_is_refused() {
    let model = folder("border");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/timm_deit3");
    let mut config: Value = serde_json::from_slice(&fs::read(fixture.join("config.json")).unwrap()).unwrap();
    config["pretrained_cfg"]["crop_mode"] = "border".into();
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    fs::copy(fixture.join("model.safetensors"), model.join("model.safetensors")).unwrap();
    let thread = model.join("thread.png");
    let mut encoder = png::Encoder::new(fs::File::create(&thread).unwrap(), 40_000, 1500);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().unwrap().write_image_data(&vec![90; 5000 * 1500]).unwrap();
    let map = model.join("map.png");
    let explain = ["explain", text(&model), text(&thread), "--method", "chefer", "-o", text(&map)];
    fails(&explain, &["the map over this photo", " × 18000", "--alone"]);
    succeeds(&[&explain[..], &["--alone"]].concat());
}

/// A picture that is allowed but doesn't fit into memory ends in a sentence.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_cannot_be_had_for_a_picture_is_said() {
    let path = folder("large").join("large.png");
    let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), 12_000, 12_000);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().unwrap().write_image_data(&vec![0x5a; 1500 * 12_000]).unwrap();
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 600000; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_vitscope"),
            "classify",
            TINY,
            text(&path),
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("large.png: out of memory") && stderr.contains("smaller image"), "{stderr}");
}

#[test]
fn mistakes_get_one_clear_sentence() {
    let bad = folder("bad");
    let truncated = bad.join("truncated");
    fs::create_dir_all(&truncated).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hf_vit");
    fs::copy(source.join("config.json"), truncated.join("config.json")).unwrap();
    let weights = fs::read(source.join("model.safetensors")).unwrap();
    fs::write(truncated.join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let noise = bad.join("noise.jpg");
    fs::write(&noise, b"\xff\xd8\xff\xe0 this is no picture").unwrap();
    let chopped = bad.join("chopped.jpg");
    let photo = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(CHELSEA)).unwrap();
    fs::write(&chopped, &photo[..200]).unwrap();
    let out = bad.join("out.safetensors");
    let nowhere = bad.join("no/such/folder/out.safetensors");

    fails(&["inspect", "no/such/model"], &["no/such/model", "no such folder"]);
    fails(&["inspect", "www/samples"], &["neither config.json nor model.safetensors"]);
    fails(&["classify", text(&truncated), CHELSEA], &[text(&truncated), "model.safetensors", "truncated"]);
    fails(&["classify", TINY, "no-such.jpg"], &["no-such.jpg", "can't be read"]);
    fails(&["classify", TINY, text(&noise)], &["noise.jpg", "can't be decoded"]);
    fails(&["classify", TINY, text(&chopped)], &["chopped.jpg", "can't be decoded"]);
    fails(&["classify", TINY, "Cargo.toml"], &["Cargo.toml", "can't be decoded"]);
    fails(&["classify", TINY, CHELSEA, "--top", "0"], &["at least 1"]);
    fails(&["trace", TINY, "--pixel-values", "Cargo.toml", "-o", text(&out)], &["Cargo.toml"]);
    let other = "tests/fixtures/timm_vit/expected.safetensors";
    fails(&["trace", TINY, "--pixel-values", other, "-o", text(&out)], &[other, "pixel_values", "[3, 24, 54]"]);
    fails(&["trace", TINY, CHELSEA, "-o", text(&nowhere)], &["can't be written"]);
    assert!(!out.exists(), "a failed trace leaves no file");
}
