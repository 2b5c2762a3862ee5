//! The compression function's rounds, written once for every vector width (FIPS 180-4, 6.2.2).

/// The round constants (FIPS 180-4, 4.2.2).
pub(super) const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// Sixteen rounds over vectors: `$state` are a to h, `$words` the sixteen last words of the message schedule, which are
/// replaced by the next sixteen first if `$scheduled`. The operations (`add`, `splat`, `big_sigma0` and so on) are those
/// of the module that expands this.
#[cfg(target_arch = "x86_64")]
macro_rules! sixteen_rounds {
    ($state:ident, $words:ident, $constants:expr, $scheduled:literal) => {{
        let constants: &[u32; 16] = $constants;
        sixteen_rounds!(@each $state, $words, constants, $scheduled,
            (0; 0 1 2 3 4 5 6 7; 1 9 14) (1; 7 0 1 2 3 4 5 6; 2 10 15)
            (2; 6 7 0 1 2 3 4 5; 3 11 0) (3; 5 6 7 0 1 2 3 4; 4 12 1)
            (4; 4 5 6 7 0 1 2 3; 5 13 2) (5; 3 4 5 6 7 0 1 2; 6 14 3)
            (6; 2 3 4 5 6 7 0 1; 7 15 4) (7; 1 2 3 4 5 6 7 0; 8 0 5)
            (8; 0 1 2 3 4 5 6 7; 9 1 6) (9; 7 0 1 2 3 4 5 6; 10 2 7)
            (10; 6 7 0 1 2 3 4 5; 11 3 8) (11; 5 6 7 0 1 2 3 4; 12 4 9)
            (12; 4 5 6 7 0 1 2 3; 13 5 10) (13; 3 4 5 6 7 0 1 2; 14 6 11)
            (14; 2 3 4 5 6 7 0 1; 15 7 12) (15; 1 2 3 4 5 6 7 0; 0 8 13));
    }};
    (@each $state:ident, $words:ident, $constants:ident, $scheduled:literal,
        $(($t:literal; $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal;
           $next:literal $ninth:literal $fourteenth:literal))*) => {
        $(
            if $scheduled {
                $words[$t] = add(
                    add($words[$t], small_sigma0($words[$next])),
                    add($words[$ninth], small_sigma1($words[$fourteenth])),
                );
            }
            let sum = add(
                add($state[$h], add($words[$t], splat($constants[$t]))),
                add(big_sigma1($state[$e]), choose($state[$e], $state[$f], $state[$g])),
            );
            $state[$d] = add($state[$d], sum);
            $state[$h] = add(sum, add(big_sigma0($state[$a]), majority($state[$a], $state[$b], $state[$c])));
        )*
    };
}

/// All 64 rounds and the addition of what was there before.
#[cfg(target_arch = "x86_64")]
macro_rules! compress_block {
    ($state:ident, $words:ident) => {{
        let before = $state;
        let (constants, _) = $crate::sha256::rounds::K.as_chunks::<16>();
        sixteen_rounds!($state, $words, &constants[0], false);
        for constants in &constants[1..] {
            sixteen_rounds!($state, $words, constants, true);
        }
        for (word, before) in $state.iter_mut().zip(before) {
            *word = add(*word, before);
        }
    }};
}

/// The functions of FIPS 180-4, 4.1.2, over vectors, for these instructions. `exclusive_or` of three, `rotate` right by the
/// first number (the second is what is left of 32) and `shift` right are those of the module that expands this.
#[cfg(target_arch = "x86_64")]
macro_rules! sigmas {
    ($features:literal, $vector:ident) => {
        #[inline]
        #[target_feature(enable = $features)]
        fn big_sigma0(a: $vector) -> $vector {
            exclusive_or(rotate::<2, 30>(a), rotate::<13, 19>(a), rotate::<22, 10>(a))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn big_sigma1(e: $vector) -> $vector {
            exclusive_or(rotate::<6, 26>(e), rotate::<11, 21>(e), rotate::<25, 7>(e))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn small_sigma0(word: $vector) -> $vector {
            exclusive_or(rotate::<7, 25>(word), rotate::<18, 14>(word), shift::<3>(word))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn small_sigma1(word: $vector) -> $vector {
            exclusive_or(rotate::<17, 15>(word), rotate::<19, 13>(word), shift::<10>(word))
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(super) use {compress_block, sigmas, sixteen_rounds};
