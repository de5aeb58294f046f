// Package kernel holds the arithmetic of the network as plain Go functions over float32 slices: forward and
// backward, one file per family. It is the CPU path and at the same time the reference against which every faster
// twin is tested.
//
// Volumes are [batch, channel, H, W, D] and matrices [row, column], row-major, last axis fastest. A function writes
// its first slice argument in full and never reads what it held before; slices must not overlap unless the
// function says so. Lengths are the caller's promise: package op checks them once, when a graph is built.
//
// Products are package gemm's, arithmetic along rows is package vector's; both choose the instructions that the CPU
// has, so that results agree between CPUs to within rounding only.
//
// Results do not depend on the number of cores: where the terms of one sum lie in several pieces of work, the pieces
// are cut by size alone and the parts are added in their order.
package kernel
