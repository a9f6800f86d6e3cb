//! Measures the cryptography of messages: times beside plain RSA with the same key size in the same run, and sizes.
//! `make bench` runs it; alone: `cargo bench -p common --features e2e --bench letters`
//!
//! Ratios are formed within one run, because both of its measurements then see the machine under the same load.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use common::{
    crypto::{
        Identity, KeyId, Message, PublicKey, SessionKey, SessionKeys, SessionRecord, TextNumber,
        letter::{self, Content, Letter},
        safety_number,
        sender_key::Speaker,
        sender_key_store::SenderKeyStore,
    },
    name::Name,
};
use rsa::{
    Oaep, RsaPrivateKey, RsaPublicKey,
    pkcs8::{DecodePrivateKey, DecodePublicKey},
    pss,
    sha2::Sha256,
    signature::{RandomizedSigner, SignatureEncoding, Verifier},
};

/// A short line, as people write them.
const LINE: &str = "Shall we start the film at half past eight?";

/// The sizes of rooms, in people.
const ROOMS: [usize; 3] = [10, 250, 2_000];

/// The number of each text.
const NUMBER: TextNumber = TextNumber { count: 1, number: 1 };

/// The median time of a call.
fn median(count: usize, mut call: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[count / 2]
}

/// The four operations of RSA that a letter is made of, and nothing else.
struct Plain {
    encrypt: Duration,
    decrypt: Duration,
    sign: Duration,
    verify: Duration,
}

impl Plain {
    fn measure(identity: &Identity) -> Self {
        let private = RsaPrivateKey::from_pkcs8_pem(&identity.to_pem()).expect("a key just made");
        let public = RsaPublicKey::from_public_key_der(identity.public_key().der()).expect("a key just made");
        let padding = || Oaep::<Sha256>::new_with_label(*b"plain");
        let encrypt = || public.encrypt(&mut rand::rng(), padding(), &[7; 32]).expect("a short secret");
        let wrapped = encrypt();
        let decrypt = || private.decrypt_blinded(&mut rand::rng(), padding(), &wrapped).expect("its own ciphertext");
        let (signer, verifier) =
            (pss::SigningKey::<Sha256>::new(private.clone()), pss::VerifyingKey::<Sha256>::new(public.clone()));
        let sign = || signer.sign_with_rng(&mut rand::rng(), LINE.as_bytes());
        let signature = pss::Signature::try_from(&*sign().to_vec()).expect("its own signature");
        Self {
            encrypt: median(300, || drop(black_box(encrypt()))),
            decrypt: median(60, || drop(black_box(decrypt()))),
            sign: median(60, || drop(black_box(sign()))),
            verify: median(300, || verifier.verify(LINE.as_bytes(), &signature).expect("a signature just made")),
        }
    }

    /// What sealing a letter takes at least.
    fn seal(&self) -> Duration {
        self.encrypt + self.sign
    }

    /// What opening a letter takes at least.
    fn open(&self) -> Duration {
        self.decrypt + self.verify
    }
}

fn print(what: &str, time: Duration, baseline: &str, of_baseline: Duration) {
    let ratio = time.as_secs_f64() / of_baseline.as_secs_f64();
    println!("{what:<44} {:>10.1} µs {ratio:>9.2} x {baseline}", time.as_secs_f64() * 1e6);
}

fn main() {
    let bits = Identity::DEFAULT_BITS;
    let [ada, bob, eve] = [(); 3].map(|()| Identity::generate(bits));
    let name = Name::parse("Bob").expect("a valid name");
    let now = Instant::now();
    let sessions = SessionKeys::new(now);
    let sign = || SessionRecord::sign(sessions.current().public_key(), 1, &bob, &name, &[0; 32]);
    let record = sign();
    let text = Letter { sent_unix_millis: 1, content: Content::Text(NUMBER, LINE.to_owned()) };
    let seal = |letter: &Letter| seal(letter, &ada, bob.public_key(), &record);
    let sealed = seal(&text);

    println!("RSA with {bits} bits; medians; the last column compares with plain RSA-OAEP and RSA-PSS");
    let plain = Plain::measure(&bob);
    let (by_sealing, by_opening) = ("OAEP encryption + PSS signature", "OAEP decryption + PSS verification");
    print("OAEP encryption of 32 bytes", plain.encrypt, "itself", plain.encrypt);
    print("OAEP decryption", plain.decrypt, "itself", plain.decrypt);
    print("PSS signature", plain.sign, "itself", plain.sign);
    print("PSS verification", plain.verify, "itself", plain.verify);
    print("seal a letter", median(60, || drop(black_box(seal(&text)))), by_sealing, plain.seal());
    let open = || letter::open(&sealed, &bob, &sessions, ada.public_key()).expect("its own letter");
    print("open a letter", median(60, || drop(black_box(open()))), by_opening, plain.open());
    let attempt = || assert!(letter::attempt(&sealed, &eve).is_err(), "a letter for another person");
    print("try a letter for another person", median(60, attempt), "OAEP decryption", plain.decrypt);
    let generate = median(300, || drop(black_box(SessionKey::generate())));
    print("make a session key (X-Wing)", generate, "PSS signature", plain.sign);
    print("sign a session record", median(60, || drop(black_box(sign()))), "PSS signature", plain.sign);
    let verify = || assert!(record.verify(bob.public_key(), &name, &[0; 32]), "a record just signed");
    print("verify a session record", median(300, verify), "PSS verification", plain.verify);
    let number = || drop(black_box(safety_number((&name, ada.public_key()), (&name, bob.public_key()))));
    print("compute a safety number", median(20, number), "PSS signature", plain.sign);

    let (handed, line) = sender_keys(&plain, &seal, now);

    println!("\nsizes in bytes, of a line of {} bytes", LINE.len());
    for (what, bytes) in [
        ("session record", record.as_bytes().len()),
        ("letter", sealed.as_bytes().len()),
        ("letter with a sender key", handed),
        ("line to Everyone", line),
    ] {
        println!("{what:<44} {bytes:>10}");
    }
    for people in ROOMS {
        let members = people - 1;
        println!("{:<44} {:>10}", format!("first line to {people} people, in all"), members * handed + line);
    }
}

fn seal(letter: &Letter, sender: &Identity, to: &PublicKey, record: &SessionRecord) -> common::crypto::Envelope {
    letter::seal(letter, 1, sender, to, record).expect("a short letter")
}

/// Measures messages to everyone. Returns the sizes of a letter with a sender key and of a line.
fn sender_keys(plain: &Plain, seal: &impl Fn(&Letter) -> common::crypto::Envelope, now: Instant) -> (usize, usize) {
    let sender = KeyId([1; 32]);
    let make = || {
        let mut speaker = Speaker::default();
        speaker.prepare(&[], now);
        speaker.hand_over(sender).expect("a key was prepared")
    };
    print("make a sender key", median(300, || drop(black_box(make()))), "PSS signature", plain.sign);

    let mut speaker = Speaker::default();
    speaker.prepare(&[], now);
    let mut hand = || {
        let content = Content::SenderKey(NUMBER, speaker.hand_over(sender).expect("a key was prepared"));
        seal(&Letter { sent_unix_millis: 1, content })
    };
    let handed = hand().as_bytes().len();
    let each = median(100, || drop(black_box(hand())));
    for people in ROOMS {
        let members = u32::try_from(people - 1).expect("few");
        let what = format!("hand a sender key to {members} others");
        print(&what, each * members, "OAEP encryption + PSS signature", plain.seal());
    }

    let mut store = SenderKeyStore::default();
    let key = speaker.hand_over(sender).expect("a key was prepared");
    store.accept(sender, &key, now).expect("a sender key just made");
    let message = Message { sent_unix_millis: 1, number: NUMBER, text: LINE.to_owned() };
    let mut lines = Vec::new();
    let say = || lines.push(speaker.seal(&message, 1, sender).expect("a short text"));
    print("seal a line to Everyone", median(300, say), "PSS signature", plain.sign);
    let line_bytes = lines[0].as_bytes().len();
    let mut next = lines.iter();
    let read = || drop(black_box(store.open(next.next().expect("as many as were sealed"), now).expect("its own key")));
    print("open a line to Everyone", median(300, read), "PSS verification", plain.verify);
    (handed, line_bytes)
}
