// SPDX-License-Identifier: MIT
// The same waits by Rust's names: its locks, conditions and parking are futexes by syscall(), its threads
// and joins are pthreads'. How many futex waits there are is the library's affair; that they are there, and how
// long they take together, is not.
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const TIMES: u32 = 5;
const HOLD: Duration = Duration::from_millis(12);

// Not by libc, so that it is no wait for whoever watches.
fn nap(d: Duration) {
    let t = [d.as_secs() as i64, d.subsec_nanos() as i64];
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") 35i64 => _, in("rdi") &t, in("rsi") 0,
            out("rcx") _, out("r11") _);
    }
}

/// Until the main thread sleeps in the kernel, and a while after: so a thread ends that is joined.
fn until_joined() {
    let path = format!("/proc/self/task/{}/stat", std::process::id());
    while !std::fs::read_to_string(&path).unwrap().contains(") S ") {
        nap(Duration::from_micros(500));
    }
    nap(HOLD);
}

fn main() {
    let (mut futexes, mut joins, mut threads) = (Duration::ZERO, Duration::ZERO, 0);
    let mutex = Arc::new(Mutex::new(0));
    let cond = Arc::new(Condvar::new());
    for _ in 0..TIMES {
        let (ready, is_ready) = mpsc::channel();
        let m = mutex.clone();
        let t = thread::spawn(move || {
            let mut n = m.lock().unwrap();
            ready.send(()).unwrap();
            nap(HOLD);
            *n += 1;
            drop(n);
            until_joined();
        });
        while is_ready.try_recv().is_err() {
            nap(Duration::from_micros(200));
        }
        let since = Instant::now();
        drop(mutex.lock().unwrap());
        futexes += since.elapsed();
        let since = Instant::now();
        t.join().unwrap();
        joins += since.elapsed();
        threads += 1;
    }
    for _ in 0..TIMES {
        let (m, c) = (mutex.clone(), cond.clone());
        let mut n = mutex.lock().unwrap();
        let before = *n;
        let t = thread::spawn(move || {
            nap(HOLD);
            *m.lock().unwrap() += 1;
            c.notify_one();
            until_joined();
        });
        let since = Instant::now();
        while *n == before {
            n = cond.wait(n).unwrap();
        }
        futexes += since.elapsed();
        drop(n);
        let since = Instant::now();
        t.join().unwrap();
        joins += since.elapsed();
        threads += 1;
    }
    for _ in 0..TIMES {
        let barrier = Arc::new(Barrier::new(2));
        let b = barrier.clone();
        let t = thread::spawn(move || {
            nap(HOLD);
            b.wait();
            until_joined();
        });
        let since = Instant::now();
        barrier.wait();
        futexes += since.elapsed();
        let since = Instant::now();
        t.join().unwrap();
        joins += since.elapsed();
        threads += 1;
    }
    let me = thread::current();
    let t = thread::spawn(move || {
        nap(HOLD);
        me.unpark();
        until_joined();
    });
    let since = Instant::now();
    thread::park();
    futexes += since.elapsed();
    let since = Instant::now();
    t.join().unwrap();
    joins += since.elapsed();
    threads += 1;
    let since = Instant::now();
    thread::sleep(HOLD);
    let slept = since.elapsed();
    println!(
        "{{\"waits\": {{\"futex\": {{\"count\": {}, \"total_ns\": {}}}, \"join\": {{\"count\": {}, \"total_ns\": {}}}, \
         \"sleep\": {{\"count\": 1, \"total_ns\": {}}}}}, \"values\": {{\"threads\": {}}}}}",
        3 * TIMES + 1, futexes.as_nanos(), threads, joins.as_nanos(), slept.as_nanos(), threads
    );
}
