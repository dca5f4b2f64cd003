namespace Fovea.Tests.Unit.Tensors;

/// <summary>How a kernel for products is chosen, and how the choice is written down.</summary>
public sealed class ProductPolicyTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-products-").FullName;

    [Fact]
    public void A_choice_survives_being_written_and_read_and_other_text_is_none()
    {
        foreach (var kernel in Enum.GetValues<ProductKernel>())
        {
            var choice = ProductChoice.Rule.With(DType.BF16, kernel);
            Assert.Equal(choice, ProductChoice.Parse(choice.ToString()));
        }

        Assert.Equal("fp32 library, bf16 tiles, fp16 widened", new ProductChoice(ProductKernel.Library, ProductKernel.Tiles, ProductKernel.Widened).ToString());
        Assert.All(
            ["", "fp32 library", "fp32 library, bf16 cubes, fp16 library", "bf16 tiles, fp32 library, fp16 library"],
            text => Assert.Null(ProductChoice.Parse(text)));
    }

    [Fact]
    public void A_measurement_covers_every_kernel_that_fits_and_is_taken_once_unless_the_machine_is_busy()
    {
        foreach (var (name, type) in ProductChoice.Types)
        {
            var first = new ProductMeasurements(folder).Of(type, out var measured);
            Assert.True(measured);
            Assert.Equal(Enum.GetValues<ProductKernel>().Where(kernel => ProductKernels.Fit(type, kernel)), first.Gflops.Keys.Order());
            Assert.Contains(first.Gflops.Values, rate => rate > 0.1);
            var kept = Directory.GetFiles(folder).Any(file => File.ReadAllText(file).Contains(name, StringComparison.Ordinal));
            var again = new ProductMeasurements(folder).Of(type, out measured);
            Assert.Equal(!kept, measured);
            Assert.Equal(first.Gflops.Keys.Order(), again.Gflops.Keys.Order());
            Assert.All(first.Gflops, rate => Assert.True(!kept || Math.Abs(rate.Value - again.Gflops[rate.Key]) < 0.06));
        }

        Assert.Equal(ProductChoice.Rule, ProductChoice.InUse()); // nothing was chosen by measuring
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("{\"fp32\": {\"library\": 1}}")]
    [InlineData("{\"fp32\": {\"library\": 1, \"cubes\": 9}}")]
    public void A_file_of_measurements_that_does_not_speak_for_this_machine_is_measured_again(string content)
    {
        File.WriteAllText(new ProductMeasurements(folder).File, content);
        var rates = new ProductMeasurements(folder).Of(DType.F32, out var measured);
        Assert.True(measured);
        Assert.Contains(ProductKernel.Tiles, rates.Gflops.Keys);
    }

    [Fact]
    public void The_rule_stays_unless_another_kernel_is_clearly_faster()
    {
        ProductRates Rates(double library, double tiles) =>
            new(new Dictionary<ProductKernel, double> { [ProductKernel.Library] = library, [ProductKernel.Tiles] = tiles });
        Assert.Equal(ProductKernel.Library, Rates(100, 104).Fastest(ProductKernel.Library));
        Assert.Equal(ProductKernel.Tiles, Rates(100, 106).Fastest(ProductKernel.Library));
        Assert.Equal(ProductKernel.Tiles, Rates(0, 10).Fastest(ProductKernel.Library));
        Assert.Equal(ProductKernel.Tiles, Rates(100, 98).Fastest(ProductKernel.Tiles));
    }

    [Fact]
    public void The_environment_takes_precedence_and_what_does_not_exist_is_refused()
    {
        var before = Environment.GetEnvironmentVariable(ProductPolicy.HalfVariable);
        try
        {
            Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, "tiles");
            var decision = ProductPolicy.ForMachine(folder, DType.BF16);
            Assert.Equal(ProductChoice.Rule with { Bf16 = ProductKernel.Tiles }, decision.Choice);
            Assert.Equal("bf16 products: tiles (by FOVEA_HALF_PRODUCTS)", Assert.Single(decision.Reasons));
            Assert.Equal(ProductChoice.Rule, ProductPolicy.ForMachine(folder, DType.F16).Choice); // tiles exist for bf16 alone
            Assert.Empty(Directory.GetFiles(folder)); // nothing needed measuring

            Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, "fast");
            Assert.StartsWith(
                "FOVEA_HALF_PRODUCTS=fast: on this processor it can be library, widened, tiles",
                Assert.Throws<ConfigException>(() => ProductPolicy.ForMachine(folder, DType.BF16)).Message);
        }
        finally
        {
            Environment.SetEnvironmentVariable(ProductPolicy.HalfVariable, before);
        }
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);
}
