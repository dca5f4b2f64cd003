// The number of live native handles is global and libtorch uses every core: tests run one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
