//! What a module and its glue call each other and each other's functions by. wasm-bindgen's names are long, and some have hashes, which
//! compress badly; they lie in the module and in each script that has the glue. (wasm-opt can shorten them too, by their places in the
//! module, but these differ between builds with threads and without, and all builds share one glue.)

use walrus::{Import, ImportKind, Module};

/// What the engine has with threads alone: behind the others, which so have the same short names in every build.
const POOL: [&str; 5] = ["build_pool", "engine_also", "engine_answerBeside", "run_thread", "threads"];
/// The one that JavaScript knows too, and is short.
const MEMORY: &str = "memory";
/// The glue.
const GLUE: &str = "g";

pub struct Names {
    glue: String,
    /// Functions of every build. A short name says a function's place, here and on among the pool's.
    shared: Vec<String>,
    pool: Vec<String>,
}

impl Names {
    /// What the module asks of what it calls `glue`, and that script of the module.
    pub fn new(module: &Module, script: &str, glue: &str) -> Self {
        let asked = |import: &&Import| import.module == glue && matches!(import.kind, ImportKind::Function(_));
        let imports = module.imports.iter().filter(asked).map(|import| import.name.as_str());
        let exports = calls(script).map(|(name, _)| name).filter(|name| *name != MEMORY);
        let mut names: Vec<_> = imports.chain(exports).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        let (pool, shared) = names.into_iter().partition(|name| POOL.contains(&name.as_str()));
        Self { glue: glue.to_owned(), shared, pool }
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.shared.iter().chain(&self.pool)
    }

    /// A letter, and a digit where there are more.
    fn short(&self, name: &str) -> Option<String> {
        let place = self.all().position(|known| known == name)?;
        let letters: Vec<_> = ('a'..='z').chain('A'..='Z').collect();
        let row = Some(place / letters.len()).filter(|row| *row > 0);
        Some(format!("{}{}", letters[place % letters.len()], row.map_or(String::new(), |row| row.to_string())))
    }

    /// What the script never asks for is no longer exported, so that wasm-opt can do without it.
    pub fn shorten_in_module(&self, module: &mut Module) {
        for import in module.imports.iter_mut().filter(|import| import.module == self.glue) {
            import.module = GLUE.to_owned();
            import.name = self.short(&import.name).unwrap_or(import.name.clone());
        }
        let exports: Vec<_> = module.exports.iter().map(|export| (export.id(), export.name.clone())).collect();
        for (id, name) in exports {
            match self.short(&name) {
                Some(short) => module.exports.get_mut(id).name = short,
                None if name == MEMORY => {}
                None => module.exports.delete(id),
            }
        }
    }

    pub fn shortened_in_script(&self, script: &str) -> String {
        let mut text = script.split("wasm.").next().unwrap_or_default().to_owned();
        for (name, rest) in calls(script) {
            text += &format!("wasm.{}{rest}", self.short(name).as_deref().unwrap_or(name));
        }
        for name in self.all() {
            text = text.replace(
                &format!(" {name}: function"),
                &format!(" {}: function", self.short(name).unwrap_or_default()),
            );
        }
        text.replace(&format!("\"{}\"", self.glue), &format!("\"{GLUE}\""))
    }

    /// As JSON: they are of letters, digits and underscores.
    pub fn json(&self) -> String {
        format!("[{:?}, {:?}]\n", self.shared, self.pool)
    }
}

/// What the script calls in its module, each with the text up to the next.
fn calls(script: &str) -> impl Iterator<Item = (&str, &str)> {
    script
        .split("wasm.")
        .skip(1)
        .map(|text| text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())))
}
