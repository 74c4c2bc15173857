package dialect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The processor's way and the one for any processor find what a look at each byte finds.
func TestSpecialsAreFound(t *testing.T) {
	ways := map[string]func([]byte, []uint64) bool{"words": findSpecialsByWord, "this processor's": findSpecials}
	random := rand.New(rand.NewPCG(1, 2))
	alphabets := []string{"x", `x\"`, "xyz\x1f\x00 !#[]\x7f\"\\", "é", "é\\\"\n", ""}
	for n := range 20_000 {
		blocks := 1 + random.IntN(5)
		from := random.IntN(blockSize) // of what is not aligned
		data := make([]byte, from+blocks*blockSize+random.IntN(3))
		alphabet := alphabets[n%len(alphabets)]
		for i := range data {
			if alphabet == "" {
				data[i] = byte(random.IntN(256))
			} else {
				data[i] = alphabet[random.IntN(len(alphabet))]
			}
		}
		data = data[from:]
		want, wantHigh := make([]uint64, blocks), false
		for i, c := range data[:blocks*blockSize] {
			if c < ' ' || c == '"' || c == '\\' {
				want[i/blockSize] |= 1 << (i % blockSize)
			}
			wantHigh = wantHigh || c >= 0x80
		}
		for name, find := range ways {
			got := slices.Repeat([]uint64{0xABCD}, blocks+1)
			if high := find(data, got[:blocks]); high != wantHigh || !slices.Equal(got[:blocks], want) || got[blocks] != 0xABCD {
				t.Fatalf("%s: %q\n%x %v\n%x %v", name, data, got, high, want, wantHigh)
			}
		}
	}
}

func BenchmarkFindSpecials(b *testing.B) {
	data := []byte(strings.Repeat(`The gate checks a ticket, takes the fare, and looks into nobody's luggage.\n\"Next, please\" – it says. `, 40))
	var specials [manyBlocks]uint64
	for name, find := range map[string]func([]byte, []uint64) bool{"words": findSpecialsByWord, "this processor's": findSpecials} {
		b.Run(fmt.Sprintf("%s/%d", name, manyBlocks*blockSize), func(b *testing.B) {
			b.SetBytes(manyBlocks * blockSize)
			b.ReportAllocs()
			for b.Loop() {
				if !find(data, specials[:]) {
					b.Fatal("no dash")
				}
			}
		})
	}
}
