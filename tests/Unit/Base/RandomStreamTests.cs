
namespace Fovea.Tests.Unit.Base;

public sealed class RandomStreamTests
{
    [Theory]
    [InlineData(0, new[] { 4, 1, 7, 5, 3, 9, 0, 8, 6, 2 })]
    [InlineData(42, new[] { 2, 6, 1, 8, 4, 5, 0, 9, 3, 7 })]
    [InlineData(43, new[] { 8, 4, 9, 0, 5, 1, 6, 7, 2, 3 })]
    [InlineData(1337, new[] { 5, 0, 6, 1, 9, 8, 4, 2, 3, 7 })]
    public void Randperm_draws_as_torch_does(long seed, int[] expected) => Assert.Equal(expected, new TorchRandom(seed).RandPerm(10));

    [Theory]
    [InlineData(0, 0.49625659f)]
    [InlineData(42, 0.88226926f)]
    public void The_first_uniform_number_is_torch_s(long seed, float expected) => Assert.Equal(expected, new TorchRandom(seed).NextSingle(), 1e-7f);

    [Fact]
    public void Mt19937_agrees_with_its_authors_ten_thousandth_number()
    {
        // C++ [rand.predef]: the 10000th draw of a default-constructed mt19937 (seed 5489) is 4123659995.
        var random = new TorchRandom(5489);
        for (var i = 1; i < 10_000; i++)
        {
            random.NextUInt32();
        }

        Assert.Equal(4123659995u, random.NextUInt32());
    }

    [Theory]
    [InlineData(0, 0.6369616873214543)]
    [InlineData(42, 0.7739560485559633)]
    [InlineData(12345, 0.22733602246716966)]
    public void Default_rng_gives_numpy_s_first_double(ulong seed, double expected) => Assert.Equal(expected, new NumpyRandom(seed).NextDouble());

    // From numpy 1.24.2.
    [Theory]
    [InlineData(0, 10, new[] { 4, 6, 2, 7, 3, 5, 9, 0, 8, 1 })]
    [InlineData(42, 10, new[] { 5, 6, 0, 7, 3, 2, 4, 9, 1, 8 })]
    [InlineData(42, 1000, new[] { 978, 933, 859, 916, 127, 608, 856, 260 })]
    [InlineData((1UL << 40) + 5, 1000, new[] { 577, 350, 779, 982, 65, 944, 110, 44 })]
    public void Permutation_is_numpy_s(ulong seed, int n, int[] first) => Assert.Equal(first, new NumpyRandom(seed).Permutation(n).Take(first.Length));
    [Fact]
    public void Empty_and_single_permutations_are_what_they_must_be()
    {
        Assert.Empty(new TorchRandom(1).RandPerm(0));
        Assert.Equal([0], new TorchRandom(1).RandPerm(1));
        Assert.Empty(new NumpyRandom(1).Permutation(0));
        Assert.Equal([0], new NumpyRandom(1).Permutation(1));
    }
}
