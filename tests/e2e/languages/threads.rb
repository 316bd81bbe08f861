total = 0
lock = Mutex.new
threads = 4.times.map do
  Thread.new { 10000.times { lock.synchronize { total += 1 } } }
end
threads.each(&:join)
puts total
