// The Go binding: github.com/goguardian/goguardian-go-kcl.
package main

import (
	"fmt"
	"os"

	"github.com/goguardian/goguardian-go-kcl/kcl"
)

type tally struct {
	records, bytes, sum uint64
}

func (t *tally) Initialize(*kcl.InitializationInput) {}

func (t *tally) ProcessRecords(input *kcl.ProcessRecordsInput) {
	for _, record := range input.Records {
		t.records++
		t.bytes += uint64(len(record.Data))
		t.sum += uint64(record.Data[len(record.Data)/2])
	}
	if err := input.Checkpoint(nil); err != nil {
		panic(err)
	}
}

func (t *tally) LeaseLost(*kcl.LeaseLostInput) {
	fmt.Fprintln(os.Stderr, "tally", t.records, t.bytes, t.sum)
}

func (t *tally) ShardEnded(*kcl.ShardEndedInput) {}

func (t *tally) ShutdownRequested(*kcl.ShutdownRequestedInput) {}

func main() {
	if err := kcl.GetKCLProcess(&tally{}).Run(); err != nil {
		panic(err)
	}
}
