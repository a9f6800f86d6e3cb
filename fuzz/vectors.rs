//! The committed vectors, for the fuzz targets.

/// The letter of `docs/vectors/letters.txt` that opens, from Ada to Bob.
pub fn letter_that_opens() -> Vec<u8> {
    let text = include_str!("../docs/vectors/letters.txt");
    let hex = text.split("\n\n").find_map(|block| block.strip_prefix("opens\n")).unwrap();
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks_exact(2).map(byte).collect()
}
