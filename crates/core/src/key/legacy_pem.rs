//! PEM encryption from before PKCS#8: `Proc-Type: 4,ENCRYPTED` and `DEK-Info` (RFC 1421), as OpenSSL wrote it.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use md5::{Digest, Md5};
use pem::Pem;
use zeroize::Zeroizing;

use super::InvalidKey;

/// Whether the block says that it is encrypted.
pub(super) fn is_encrypted(block: &Pem) -> bool {
    block.headers().get("Proc-Type").is_some_and(|value| value.replace(' ', "") == "4,ENCRYPTED")
}

/// Decrypts the content of a block for which [`is_encrypted`] holds.
pub(super) fn decrypt(block: &Pem, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
    let broken = |what: &str| InvalidKey::Malformed(format!("its `DEK-Info` header {what}"));
    let info = block.headers().get("DEK-Info").ok_or_else(|| broken("is missing"))?;
    let (cipher, iv) = info.split_once(',').ok_or_else(|| broken("has no initialisation vector"))?;
    let iv = base16ct::mixed::decode_vec(iv.trim()).map_err(|_| broken("is not hexadecimal"))?;
    let decrypt = match cipher.trim() {
        "AES-128-CBC" => cbc_decrypt::<cbc::Decryptor<aes::Aes128>>,
        "AES-192-CBC" => cbc_decrypt::<cbc::Decryptor<aes::Aes192>>,
        "AES-256-CBC" => cbc_decrypt::<cbc::Decryptor<aes::Aes256>>,
        "DES-EDE3-CBC" => cbc_decrypt::<cbc::Decryptor<des::TdesEde3>>,
        "DES-CBC" => cbc_decrypt::<cbc::Decryptor<des::Des>>,
        other => return Err(InvalidKey::UnsupportedEncryption(other.to_owned())),
    };
    decrypt(password, &iv, block.contents())
}

fn cbc_decrypt<D: BlockModeDecrypt + KeyIvInit>(
    password: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
    let salt = iv.get(..8).ok_or_else(|| InvalidKey::Malformed("its initialisation vector is too short".to_owned()))?;
    let key = derive(password, salt, D::key_size());
    let decryptor = D::new_from_slices(&key, iv)
        .map_err(|_| InvalidKey::Malformed("its initialisation vector has the wrong length".to_owned()))?;
    let plaintext = decryptor.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| InvalidKey::WrongPassword)?;
    Ok(Zeroizing::new(plaintext))
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round: weak, and what these files need.
fn derive(password: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    while key.len() < length {
        let mut hash = Md5::new();
        let previous = key.len().saturating_sub(16);
        hash.update(&key[previous..]);
        hash.update(password);
        hash.update(salt);
        key.extend_from_slice(&hash.finalize());
    }
    key.truncate(length);
    key
}
