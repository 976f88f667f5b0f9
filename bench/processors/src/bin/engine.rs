//! Prints the features of the processor that decide which code decodes base64.

fn main() {
    #[cfg(target_arch = "x86_64")]
    let features = [("avx512vbmi", is_x86_feature_detected!("avx512vbmi")), ("avx2", is_x86_feature_detected!("avx2"))];
    #[cfg(not(target_arch = "x86_64"))]
    let features = [("neon", cfg!(target_arch = "aarch64"))];
    let found: Vec<_> = features.iter().filter(|(_, found)| *found).map(|(name, _)| *name).collect();
    println!("{} {}", std::env::consts::ARCH, found.join(" "));
}
