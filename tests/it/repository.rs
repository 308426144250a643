//! The repository keeps its word: documents name files that are there, and
//! tests name requirements that exist.

use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<(String, String)> {
    let listed = crate::support::succeed(Command::new("git").arg("-C").arg(root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.md",
    ]));
    listed.lines().map(|name| (name.to_owned(), std::fs::read_to_string(root().join(name)).unwrap())).collect()
}

#[test]
fn documents_name_files_that_are_there() {
    let mut missing = Vec::new();
    for (name, text) in documents() {
        let dir = root().join(&name).parent().unwrap().to_owned();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|l| !l.contains("://") && !l.starts_with('#')) {
            let target = link.split('#').next().unwrap();
            if !dir.join(target).exists() {
                missing.push(format!("{name}: {link}"));
            }
        }
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.trim_end_matches('/');
            let looks_like_one = [
                "src/",
                "tests/",
                "docs/",
                "scripts/",
                "policies/",
                "dictionaries/",
                "migrations/",
                "fuzz/",
                "nas-profiles/",
            ]
            .iter()
            .any(|prefix| path.starts_with(prefix));
            if looks_like_one && !path.contains(['*', '{', '<', ' ']) && !root().join(path).exists() {
                missing.push(format!("{name}: `{quoted}`"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_command_in_the_readme_exists() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let help = crate::support::succeed(crate::support::cordon().arg("--help"));
    for line in readme.lines().map(|l| l.trim().trim_start_matches("$ ")) {
        let Some(rest) = line.strip_prefix("cordon ") else { continue };
        let command = rest.split_whitespace().next().unwrap();
        assert!(help.contains(&format!("  {command}")), "`{line}`: there is no such command");
    }
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    for line in readme.lines().map(|l| l.trim().trim_start_matches("$ ")) {
        let Some(target) = line.strip_prefix("make ") else { continue };
        let target = target.split_whitespace().next().unwrap();
        assert!(makefile.contains(&format!("\n{target}:")), "`{line}`: there is no such target");
    }
}

/// The indented block after a line that is exactly this.
fn block(text: &str, after: &str) -> String {
    let lines = text.lines().skip_while(|line| *line != after).skip(1).skip_while(|line| line.is_empty());
    let block = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    block.fold(String::new(), |all, line| all + line.trim_start_matches("    ") + "\n")
}

#[test]
fn the_readme_leads_to_a_configuration_that_is_sound() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("## For your network").nth(1).unwrap().split("\n## ").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    for name in ["cordon.toml", "policy.cedar"] {
        std::fs::write(dir.path().join(name), block(section, &format!("`{name}`:"))).unwrap();
    }
    let bin = Path::new(env!("CARGO_BIN_EXE_cordon")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let commands = section.lines().filter_map(|line| line.strip_prefix("    $ "));
    let mut last = String::new();
    for command in commands.filter(|command| !command.starts_with("cordon serve")) {
        last = crate::support::succeed(Command::new("sh").args(["-ec", command]).env("PATH", &path).current_dir(&dir));
    }
    assert!(last.contains("good. 1 NAS, 1 identities") && !last.contains("warning"), "{last}");
}

#[test]
fn the_requirements_that_tests_name_exist() {
    let out = crate::support::succeed(Command::new("sh").arg(root().join("scripts/requirements.sh")).arg("--check"));
    assert!(out.contains("shown"), "{out}");
}
