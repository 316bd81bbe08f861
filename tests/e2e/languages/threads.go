package main

import (
	"fmt"
	"sync"
	"sync/atomic"
)

func main() {
	var total int64
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 10000; j++ {
				atomic.AddInt64(&total, 1)
			}
		}()
	}
	group.Wait()
	fmt.Println(total)
}
