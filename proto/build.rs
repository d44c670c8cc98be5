//! Compiles the protos without a protoc and keeps their encoded descriptor set.

use std::{env, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // tonic-prost-build 0.14 prints no rerun-if-changed of its own.
    println!("cargo:rerun-if-changed=guildhall");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true);
    for area in ["access", "identity", "messaging", "events", "webhooks"] {
        let mut files: Vec<_> = fs::read_dir(format!("guildhall/{area}/v1"))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        for file in files {
            compiler.open_file(file)?;
        }
    }
    // The encoded form keeps our method options; prost's types would drop them.
    let encoded = compiler.encode_file_descriptor_set();
    let decoded = prost_types::FileDescriptorSet::decode(encoded.as_slice())?;
    fs::write(out.join("descriptors.binpb"), encoded)?;

    tonic_prost_build::configure().compile_fds(decoded)?;
    Ok(())
}
