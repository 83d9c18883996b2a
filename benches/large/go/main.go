// A program of 150 MB: the races' payload, and a marker that they change before it is compiled.
package main

import (
	_ "embed"
	"fmt"
)

//go:embed payload
var payload string

//go:embed marker
var marker string

func main() {
	fmt.Println(marker, len(payload))
}
