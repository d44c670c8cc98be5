//! Compiles the protos without a protoc and keeps their encoded descriptor set.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // tonic-prost-build 0.14 prints no rerun-if-changed of its own.
    println!("cargo:rerun-if-changed=guildhall");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true);
    for area in sorted("guildhall".as_ref())? {
        for file in sorted(&area.join("v1"))? {
            compiler.open_file(file)?;
        }
    }
    // The encoded form keeps our method options; prost's types would drop them.
    let encoded = compiler.encode_file_descriptor_set();
    let decoded = prost_types::FileDescriptorSet::decode(encoded.as_slice())?;
    fs::write(out.join("descriptors.binpb"), encoded)?;

    tonic_prost_build::configure()
        .include_file("guildhall.rs")
        .compile_fds(decoded)?;
    Ok(())
}

/// What is in a folder, always in the same order.
fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}
