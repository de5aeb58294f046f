//go:build race

package train

const racing = true // pools forget at random under the race detector
