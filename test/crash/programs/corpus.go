// Crashes of Go; see corpus.c. GOTRACEBACK=crash makes a panic dump core.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"sort"
)

type cart struct{ items []int }
type priced interface{ price(at int) int }

var nothing *cart
var sink int

//go:noinline
func (c *cart) price(at int) int { got := c.items[at]; sink += got; return got + at }

//go:noinline
func total(by priced, at int) int { got := by.price(at); sink += got; return got }

//go:noinline
func nilPointer(depth int) int { got := total(nothing, depth); sink += got; return got }

//go:noinline
func bounds(depth int) int { got := total(&cart{items: []int{1, 2, depth}}, depth+7); sink += got; return got }

//go:noinline
func panics(depth int) int { if depth < 99 { panic("cart") }; return depth }

//go:noinline
func explicit(depth int) int { got := panics(depth); sink += got; return got }

func small(c *cart, at int) int { return c.items[at] }

//go:noinline
func inlined(depth int) int { got := small(nothing, depth); sink += got; return got }

//go:noinline
func sorts(depth int) int {
	all := []int{3, 1, 2, depth}
	sort.Slice(all, func(i, j int) bool { sink += nothing.items[i]; return all[i] < all[j] })
	return all[0]
}

//go:noinline
func overflow(depth int) int { var room [512]int; room[depth%512] = depth; got := overflow(depth + 1); return got + room[3] + sink }

//go:noinline
func works(depth int) int { got := nilPointer(depth); sink += got; return got }

//go:noinline
func goroutine(depth int) int {
	done := make(chan int)
	go func() { got := works(depth); done <- got }()
	return <-done
}

//go:noinline
func generic[T any](of *T, depth int) T { got := *of; sink += depth; return got }

//go:noinline
func generics(depth int) int { var none *cart; got := generic(none, depth); sink += len(got.items); return sink }

func main() {
	debug.SetMaxStack(1 << 20) // its overflow makes a small core
	run := map[string]func(int) int{"nil": nilPointer, "bounds": bounds, "panic": explicit, "inlined": inlined, "sort": sorts,
		"overflow": overflow, "goroutine": goroutine, "generic": generics}[os.Args[1]]
	got := run(3)
	fmt.Println(got)
}
