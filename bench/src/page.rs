//! Where files are, and how generated text gets into the pages of `docs`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// The folder of this package.
pub(crate) fn bench() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder for whatever is installed, built and generated.
pub(crate) fn target() -> PathBuf {
    bench().join("../target/bench")
}

/// The folder of the pages.
fn docs() -> PathBuf {
    bench().join("../docs")
}

/// Writes generated files. With `publish`, text replaces a section of a page of `docs`, and pictures go beside it; otherwise both go
/// to `target/bench`.
pub(crate) fn write(publish: bool, page: &str, section: &str, text: &str, pictures: &[(&str, String)]) -> Outcome<()> {
    let folder = if publish { docs() } else { target() };
    fs::create_dir_all(folder.join("images")).map_err(|error| error.to_string())?;
    for (name, picture) in pictures {
        save(&folder.join("images").join(name), picture)?;
    }
    if !publish {
        return save(&folder.join(format!("{section}.md")), text);
    }
    let path = folder.join(page);
    let old = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let new = replace(&old, section, text).ok_or_else(|| format!("{page} does not have a section `{section}`"))?;
    save(&path, &new)
}

/// The page with new text between the two comments that enclose a section.
fn replace(page: &str, section: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(&format!("<!-- {section} -->\n"))?;
    let (_, after) = rest.split_once(&format!("<!-- /{section} -->\n"))?;
    Some(format!("{before}<!-- {section} -->\n{}\n<!-- /{section} -->\n{after}", text.trim()))
}

fn save(path: &Path, text: &str) -> Outcome<()> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    eprintln!("wrote {}", path.canonicalize().unwrap_or_else(|_| path.to_owned()).display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_the_section_changes() {
        let page = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n";
        assert_eq!(replace(page, "one", "\nnew\n").unwrap(), "a\n<!-- one -->\nnew\n<!-- /one -->\nb\n");
        assert_eq!(replace(page, "two", "new"), None);
    }
}
