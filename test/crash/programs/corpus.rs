// Crashes of Rust; see corpus.c. A panic aborts.
use std::hint::black_box;

mod shop {
    use std::hint::black_box;
    pub struct Cart { pub items: Vec<u32> }
    pub trait Priced { fn price(&self, at: usize) -> u32; }
    impl Priced for Cart {
        #[inline(never)]
        fn price(&self, at: usize) -> u32 { let got = self.items[black_box(at)]; black_box(got) }
    }
    impl Cart {
        #[inline(never)]
        pub fn total(&self, by: &dyn Priced) -> u32 { let got = by.price(7); black_box(got) + self.items.len() as u32 }
    }
    #[inline(never)]
    pub fn missing(of: Option<u32>) -> u32 { let got = black_box(of).unwrap(); black_box(got) }
    #[inline(never)]
    pub fn generic<T: Into<u64> + Copy>(of: T) -> u64 { let got = unsafe { *(black_box(0) as *const u64) }; black_box(got) + of.into() }
}

#[inline(never)]
fn index(depth: u32) -> u32 { let cart = shop::Cart { items: vec![1, 2, depth] }; let got = cart.total(&cart); black_box(got) }
#[inline(never)]
fn unwrap(_depth: u32) -> u32 { let got = shop::missing(None); black_box(got) }
#[inline(never)]
fn null(depth: u32) -> u32 { let got = shop::generic(depth); black_box(got) as u32 }
#[inline(never)]
fn overflow(depth: u32) -> u32 { let room = black_box([depth; 64]); let got = overflow(black_box(depth + 1)); black_box(got) + room[3] }
#[inline(never)]
fn closure(depth: u32) -> u32 {
    let by: Box<dyn Fn(u32) -> u32> = Box::new(move |more| { let got = shop::missing(if depth > 99 { Some(more) } else { None }); black_box(got) });
    let got = black_box(by)(depth);
    black_box(got)
}
#[inline(never)]
fn in_thread(depth: u32) -> u32 { let got = null(depth); black_box(got) }
#[inline(never)]
fn thread(depth: u32) -> u32 { let got = std::thread::spawn(move || in_thread(depth)).join(); black_box(got.is_ok()) as u32 }
#[inline(never)]
fn abort(depth: u32) -> u32 { if black_box(depth) < 99 { std::process::abort() } depth }
#[inline(never)]
fn arithmetic(depth: u32) -> u32 { let got = 10 / black_box(depth - depth); black_box(got) }

fn main() {
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    let how = std::env::args().nth(1).unwrap_or_default();
    let run: fn(u32) -> u32 = match how.as_str() {
        "index" => index, "unwrap" => unwrap, "null" => null, "overflow" => overflow, "closure" => closure, "thread" => thread,
        "abort" => abort, "arithmetic" => arithmetic, _ => return,
    };
    let got = black_box(run)(3);
    println!("{got}");
}
