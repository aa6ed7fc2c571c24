//! `vitscope eval --results` and `vitscope tally`: whether in one run, in several or in parts, the figures are the same.
#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TINY: &str = "tests/fixtures/hf_vit";
const SAMPLES: [(&str, &str); 7] = [
    ("tench", "coffee"),
    ("tench", "rocket"),
    ("9", "coffee"),
    ("goldfish", "rocket"),
    ("goldfish", "chelsea"),
    ("goldfish", "astronaut"),
    ("goldfish", "coffee"),
];

/// On so many threads.
fn on(threads: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitscope"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env("RAYON_NUM_THREADS", threads);
    command.output().unwrap()
}

#[track_caller]
fn json_on(threads: &str, arguments: &[&str]) -> Value {
    let output = on(threads, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    json_on("2", arguments)
}

/// What is counted, without what it took.
#[track_caller]
fn figures(arguments: &[&str]) -> Value {
    let mut report = json(arguments);
    report.as_object_mut().unwrap().remove("images_per_second");
    report
}

#[track_caller]
fn fails(arguments: &[&str], parts: &[&str]) {
    let output = on("2", arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "`{stderr}` should mention `{part}`");
    }
}

/// A fresh folder, with the images in `images/`.
fn folder(name: &str) -> (PathBuf, PathBuf) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&path));
    let images = path.join("images");
    for (label, sample) in SAMPLES {
        let class = images.join(label);
        fs::create_dir_all(&class).unwrap();
        let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("www/samples/{sample}.jpg"));
        fs::copy(photo, class.join(format!("{sample}.jpg"))).unwrap();
    }
    (path, images)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn threads_parts_and_interruptions_change_no_figure() {
    let (out, images) = folder("eval-results");
    let (images, file) = (text(&images), out.join("results.jsonl"));
    let eval = ["eval", TINY, images];
    let whole = figures(&eval);
    assert_eq!((&whole["images"], &whole["missing"]), (&7.into(), &0.into()));
    for threads in ["1", "3", "16"] {
        let mut report = json_on(threads, &eval);
        assert!(report["images_per_second"].as_f64().unwrap() > 0.0);
        report.as_object_mut().unwrap().remove("images_per_second");
        assert_eq!(report, whole, "{threads} threads");
    }
    let resumed = [&eval[..], &["--results", text(&file)]].concat();
    assert_eq!(figures(&resumed), whole);

    // A line an image, behind the one that says of what.
    let lines = fs::read_to_string(&file).unwrap();
    assert_eq!(lines.lines().count(), 8);
    let rows: Vec<Value> = lines.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let hits = rows.iter().filter(|row| row["rank"] == 0).count();
    assert_eq!(whole["top1"].as_f64().unwrap(), hits as f64 / 7.0);
    for row in &rows {
        assert!(Path::new(images).join(row["image"].as_str().unwrap()).is_file(), "{row}");
        let (top, scores) = (row["top"].as_array().unwrap(), row["scores"].as_array().unwrap());
        assert_eq!([top.len(), scores.len()], [5; 2]);
        assert_eq!(
            top.iter().position(|class| *class == row["class"]),
            row["rank"].as_u64().map(|rank| rank as usize).filter(|rank| *rank < 5)
        );
    }

    // Interrupted at any byte: in the first line, between two lines, in the midst of one.
    let first = lines.find('\n').unwrap();
    for end in [0, 10, first, first + 1, first + 20, lines.len() - 30, lines.len() - 1] {
        fs::write(&file, &lines[..end]).unwrap();
        assert_eq!(figures(&resumed), whole, "from byte {end} on");
        let again = fs::read_to_string(&file).unwrap();
        assert_eq!(again.lines().count(), 8, "{again}");
        assert_eq!(figures(&["tally", text(&file)]), whole);
    }
    // Where there is nothing left to do nothing is timed, nor written.
    let before = fs::read(&file).unwrap();
    assert_eq!(json(&resumed).get("images_per_second"), None);
    assert_eq!(fs::read(&file).unwrap(), before);

    let parts: Vec<_> = (1..=9).map(|k| (out.join(format!("part-{k}.jsonl")), format!("{k}/9"))).collect();
    for (file, part) in &parts {
        let report = figures(&[&eval[..], &["--part", part, "--results", text(file)]].concat());
        let done = if report["images"] == 1 { (1, 6) } else { (0, 7) };
        assert_eq!((&report["images"], &report["missing"]), (&done.0.into(), &done.1.into()), "{part}");
    }
    let tally: Vec<_> = std::iter::once("tally").chain(parts.iter().map(|(file, _)| text(file))).collect();
    assert_eq!(figures(&tally), whole);
    // A file that is given twice counts once, and what one that is left out had is missing.
    assert_eq!(figures(&[&tally[..], &[text(&file), tally[1]]].concat()), whole);
    let less = figures(&[&tally[..1], &tally[2..]].concat());
    assert_eq!((&less["images"], &less["missing"]), (&6.into(), &1.into()));
    let printed = String::from_utf8(on("2", &[&tally[..1], &tally[2..]].concat()).stdout).unwrap();
    assert!(
        printed.contains("images  6\n") && printed.contains("missing 1 of 7\n") && !printed.contains("speed"),
        "{printed}"
    );
}

#[test]
fn an_image_that_cannot_be_read_stops_it_and_what_is_written_stays() {
    let (out, images) = folder("eval-broken");
    let file = out.join("results.jsonl");
    let broken = images.join("goldfish").join("zebra.jpg");
    fs::write(&broken, "no picture").unwrap();
    let eval = ["eval", TINY, text(&images), "--results", text(&file)];
    fails(&eval, &["zebra.jpg"]);
    assert!(fs::read_to_string(&file).unwrap().lines().count() > 3);
    fs::copy(images.join("tench").join("coffee.jpg"), &broken).unwrap();
    let report = figures(&eval);
    assert_eq!((&report["images"], &report["missing"]), (&8.into(), &0.into()));
}

#[test]
fn a_file_of_something_else_is_refused_and_stays_as_it_is() {
    let (out, images) = folder("eval-foreign");
    let file = out.join("results.jsonl");
    let (images, file) = (text(&images).to_owned(), text(&file).to_owned());
    let eval = |more: &[&str]| {
        [&["eval", TINY, &images, "--results", &file], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let refused = |more: &[&str], parts: &[&str]| {
        let before = fs::read(&file).unwrap();
        let arguments = eval(more);
        fails(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), parts);
        assert_eq!(fs::read(&file).unwrap(), before);
    };
    fs::write(&file, "what somebody wrote").unwrap();
    refused(&[], &["results.jsonl", "no results of `eval`"]);
    fs::write(&file, "{\"format\":\"vitscope-eval/2\"}\n").unwrap();
    refused(&[], &["results.jsonl, line 1", "another version"]);

    fs::remove_file(&file).unwrap();
    json(&["eval", TINY, &images, "--results", &file]);
    refused(&["--dtype", "int8"], &["results.jsonl", "dtype f32, not int8"]);
    refused(&["--size", "96"], &["24 × 24 pixels, not 96 × 96"]);
    let no_part = on("2", &["eval", TINY, &images, "--part", "4/3"]);
    assert!(!no_part.status.success() && String::from_utf8_lossy(&no_part.stderr).contains("`4/3` is no part"));
    let whole = fs::read_to_string(&file).unwrap();
    let (head, lines) = whole.split_once('\n').unwrap();
    let line = lines.lines().next().unwrap();
    for (bad, parts) in [
        ("nonsense".to_owned(), ["line 3", "no result of an image"]),
        ("{}".to_owned(), ["line 3", "no result of an image"]),
        ("[".repeat(70_000), ["line 3", "no result of an image"]),
        (line.replace("\"rank\":", "\"rank\":9"), ["line 3", "rank"]),
        (line.replace("\"class\":", "\"class\":9"), ["line 3", "class"]),
        (line.replace("\"image\":\"", "\"image\":\"../"), ["results.jsonl", "no image of class"]),
    ] {
        fs::write(&file, format!("{head}\n{line}\n{bad}\n")).unwrap();
        refused(&[], &parts);
    }
    let rank = serde_json::from_str::<Value>(line).unwrap()["rank"].as_u64().unwrap();
    let other = line.replace(&format!("\"rank\":{rank}"), &format!("\"rank\":{}", (rank + 1) % 10));
    fs::write(&file, format!("{head}\n{line}\n{other}\n")).unwrap();
    refused(&[], &["line 3", "something else of the same image"]);

    fs::write(&file, &whole).unwrap();
    let elsewhere = out.join("elsewhere.jsonl");
    json(&["eval", TINY, &images, "--dtype", "int8", "--results", text(&elsewhere)]);
    fails(&["tally", &file, text(&elsewhere)], &["two evaluations", "dtype int8, not f32"]);
    fails(&["tally", &file, "www/samples/coffee.jpg"], &["coffee.jpg"]);
    fails(&["tally", text(&out.join("nowhere.jsonl"))], &["nowhere.jsonl", "can't be read"]);
    fs::copy(Path::new(&images).join("9/coffee.jpg"), Path::new(&images).join("9/tea.jpg")).unwrap();
    refused(&[], &["7 images, not 8"]);
    fs::rename(Path::new(&images).join("9/tea.jpg"), Path::new(&images).join("tea.jpg")).unwrap();
    fs::rename(Path::new(&images).join("9/coffee.jpg"), Path::new(&images).join("9/tea.jpg")).unwrap();
    refused(&[], &["other images"]);
}

/// A model's name and shape may be the same where its answers aren't.
#[test]
fn another_model_of_the_same_shape_is_another() {
    let (out, images) = folder("eval-model");
    let (model, file) = (out.join("model"), out.join("results.jsonl"));
    fs::create_dir_all(&model).unwrap();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join(TINY);
    for name in ["config.json", "preprocessor_config.json", "model.safetensors"] {
        fs::copy(tiny.join(name), model.join(name)).unwrap();
    }
    let eval = ["eval", text(&model), text(&images), "--results", text(&file)];
    json(&eval);
    let mut weights = fs::read(model.join("model.safetensors")).unwrap();
    *weights.last_mut().unwrap() ^= 0x80; // a sign
    fs::write(model.join("model.safetensors"), weights).unwrap();
    fails(&eval, &["another model (`model`)"]);
}
