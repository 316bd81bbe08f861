let total = ref 0
let lock = Mutex.create ()

let count () =
  for _ = 1 to 10000 do
    Mutex.lock lock;
    incr total;
    Mutex.unlock lock
  done

let () =
  let threads = List.init 4 (fun _ -> Thread.create count ()) in
  List.iter Thread.join threads;
  Printf.printf "%d\n" !total
