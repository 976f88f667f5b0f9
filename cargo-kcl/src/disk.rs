//! Files that are complete or absent, whenever the tool or the machine stops.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The folder that a path lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path that symbolic links lead to from this one. Nothing need exist there.
pub(crate) fn target(path: &Path) -> io::Result<PathBuf> {
    /// As many as Linux follows.
    const MOST_LINKS: u32 = 40;
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = folder_of(&target).join(next),
            // It is not a link, or does not exist.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(target);
            }
            Err(error) => return Err(error),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// Makes a new name in a folder durable, where the file system and the permissions allow it.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Creates a folder and those above it, and makes their names durable.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder_of(folder);
    create_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if !(error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir()) => Err(error),
        _ => sync_folder(above),
    }
}

/// Moves a complete file to its name, replacing what is there, and makes both durable.
pub(crate) fn publish(complete: &Path, name: &Path) -> io::Result<()> {
    File::open(complete)?.sync_all()?;
    fs::rename(complete, name)?;
    sync_folder(folder_of(name))
}

/// Writes a file under a temporary name, and moves it to its own name once it is complete. If several processes write it, one
/// wins.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    // Less the umask, as for every new file.
    builder.prefix(".new-").permissions(Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.write_all(content)?;
    publish(file.path(), path)?;
    // It no longer has the temporary name.
    file.disable_cleanup(true);
    Ok(())
}

/// The name under which one process at a time writes a file until it is complete. The name is always the same, so that the next
/// process replaces what a killed one left.
pub(crate) fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Creates a file that does not exist yet, instead of whatever has its name. A symbolic link is not followed.
pub(crate) fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().read(true).write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_replaces_what_a_killed_process_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        create_folder(folder_of(&path)).unwrap();
        create_folder(folder_of(&path)).unwrap();
        for content in ["old", "new"] {
            std::os::unix::fs::symlink(folder.path().join("other"), temporary_name(&path)).unwrap();
            let mut file = create_anew(&temporary_name(&path)).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            publish(&temporary_name(&path), &path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        write(&path, b"newest").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "newest");
        assert!(!folder.path().join("other").exists(), "a link is not followed");
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
        assert!(create_folder(&path).is_err(), "a file is in the way");
    }

    #[test]
    fn links_are_followed_to_what_need_not_exist() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        symlink("second", path("first")).unwrap();
        symlink(path("absent"), path("second")).unwrap();
        symlink("loop", path("loop")).unwrap();
        assert_eq!(target(&path("first")).unwrap(), path("absent"));
        assert_eq!(target(&path("absent")).unwrap(), path("absent"));
        assert_eq!(target(folder.path()).unwrap(), folder.path());
        assert!(target(&path("loop")).is_err());
    }

    #[test]
    fn a_path_without_a_folder_is_in_the_current_one() {
        assert_eq!(folder_of(Path::new("file")), Path::new("."));
        assert_eq!(folder_of(Path::new("/file")), Path::new("/"));
    }
}
