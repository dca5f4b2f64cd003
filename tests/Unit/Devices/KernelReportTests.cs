using Fovea.Cli.Verbs;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Devices;

/// <summary>Which kernels serve, and that each slower way is told with its cost and the remedy.</summary>
public sealed class KernelReportTests : NativeTest
{
    private static readonly Surroundings Best = new()
    {
        Blas = new Blas("OpenBLAS", "/lib/libopenblas.so.0", OwnThreads: false, "SkylakeX"),
        CudaSupport = "kernels of its own",
        Products = "fp32 library, bf16 tiles, fp16 library",
        Vectors = "AVX-512",
        Threads = 8,
        Processors = 8,
        Variable = _ => null,
    };

    [Fact]
    public void Where_everything_is_the_fast_way_the_kernels_are_named_and_nothing_is_warned_of()
    {
        var facts = KernelReport.Of(Device.Cpu, 1, Best);
        Assert.Equal("own kernels: AVX-512, products: OpenBLAS (SkylakeX), "
            + "product kernels: fp32 library, bf16 tiles, fp16 library, threads: 8 on 8 processors", KernelReport.Line(facts));
        Assert.All(facts, fact => Assert.Null(fact.Warning));
        Assert.Equal("own kernels: CUDA, threads: 8 on 8 processors", KernelReport.Line(KernelReport.Of(Device.Cuda(0), 1, Best)));
    }

    [Fact]
    public void A_kernel_that_the_device_refused_is_told_with_its_case_cost_and_remedy()
    {
        var facts = KernelReport.Of([new KernelRefusal("flash attention", "Float, heads of 96", 1, "FlashAttention only support fp16 and bf16 data type")]);
        var warning = Assert.Single(facts).Warning;
        Assert.StartsWith("flash attention: refused for Float, heads of 96 (FlashAttention only support fp16 and bf16 data type): attention takes", warning);
        Assert.Contains("bf16: true", warning);
    }

    [Fact]
    public void A_kernel_of_ours_that_is_not_there_is_told_with_its_case_cost_and_remedy()
    {
        var facts = KernelReport.Of([new KernelRefusal("the gated delta rule", "BFloat16, keys of 512", 3, "no kernel of ours takes such tensors")]);
        var warning = Assert.Single(facts).Warning;
        Assert.StartsWith("the gated delta rule: operators of libtorch for BFloat16, keys of 512 (no kernel of ours takes such tensors): it goes", warning);
        Assert.Contains("CUDA toolkit", warning);
    }

    [Fact]
    public void A_run_is_told_of_each_refusal_that_it_meets_itself_once_whatever_the_process_met_before()
    {
        static KernelRefusal Refused(string kernel, long times) => new(kernel, "Float, heads of 96", times, "only support fp16");
        List<KernelRefusal> now = [Refused("memory-efficient attention", 3), Refused("other", 1)];
        var watch = new RefusalWatch(() => now);
        Assert.Empty(watch.News());
        now = [Refused("flash attention", 1), Refused("memory-efficient attention", 4), Refused("other", 1)];
        Assert.Equal(["flash attention", "memory-efficient attention"], watch.News().Select(fact => fact.Name));
        now = [Refused("flash attention", 9), Refused("memory-efficient attention", 9), Refused("other", 2)];
        Assert.Equal("other", Assert.Single(watch.News()).Name);
        Assert.Empty(watch.News());
    }

    [Theory]
    [InlineData("no vectors", "own kernels: no AVX2: every step takes many times as long; use a processor with AVX2")]
    [InlineData("pthread", "products: OpenBLAS (Haswell) with threads of its own: beside libtorch's OpenMP threads small products take up to 40 times")]
    [InlineData("reference", "products: reference BLAS, /lib/libblas.so.3: it uses one thread and no vectors; sudo apt-get install libopenblas0-openmp")]
    [InlineData("threads", "threads: 9 on 8 processors: threads that wait awake take the processors from those that compute, and every operator")]
    [InlineData("OPENBLAS_CORETYPE", "environment: OPENBLAS_CORETYPE=2: OpenBLAS computes with the kernels of that processor, whatever this one is; unset")]
    [InlineData("OPENBLAS_NUM_THREADS", "environment: OPENBLAS_NUM_THREADS=2: matrix products keep to that many threads")]
    [InlineData("ATEN_CPU_CAPABILITY", "environment: ATEN_CPU_CAPABILITY=2: libtorch's own loops")]
    [InlineData("ONEDNN_MAX_CPU_ISA", "environment: ONEDNN_MAX_CPU_ISA=2: 16-bit products")]
    public void Each_slower_way_on_the_processor_is_told_once_with_cost_and_remedy(string way, string expected)
    {
        var here = way switch
        {
            "no vectors" => Best with { Vectors = "no AVX2" },
            "pthread" => Best with { Blas = new Blas("OpenBLAS", "/lib/openblas-pthread/libopenblas.so.0", OwnThreads: true, "Haswell") },
            "reference" => Best with { Blas = new Blas("reference BLAS", "/lib/libblas.so.3", OwnThreads: false, string.Empty) },
            "threads" => Best with { Threads = 9 },
            _ => Best with { Variable = name => name == way ? "2" : null },
        };
        var warning = Assert.Single(KernelReport.Of(Device.Cpu, 1, here), fact => fact.Warning is not null).Warning!;
        Assert.StartsWith(expected, warning, StringComparison.Ordinal);
        Assert.Contains("; ", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_of_several_ranks_are_counted_together_and_the_right_number_is_named()
    {
        Assert.All(KernelReport.Of(Device.Cpu, 4, Best with { Threads = 2 }), fact => Assert.Null(fact.Warning));
        var fact = Assert.Single(KernelReport.Of(Device.Cpu, 4, Best with { Threads = 3 }), fact => fact.Warning is not null);
        Assert.Equal("3 for each of 4 ranks on 8 processors", fact.InUse);
        Assert.StartsWith("set OMP_NUM_THREADS=2,", fact.Remedy, StringComparison.Ordinal);
        Assert.All(KernelReport.Of(Device.Cpu, 16, Best with { Threads = 1 }), fact => Assert.Null(fact.Warning)); // one is the least
    }

    [Fact]
    public void A_card_without_own_kernels_is_told_and_the_processor_s_ways_are_no_matter_there()
    {
        var here = Best with { CudaSupport = "libtorch's operators", Threads = 99, Variable = _ => "1" };
        var fact = Assert.Single(KernelReport.Of(Device.Cuda(0), 1, here), fact => fact.Warning is not null);
        Assert.Contains("nvcc", fact.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/usr/lib/openblas-pthread/libopenblasp-r0.3.29.so", -1, "OpenBLAS", true)]
    [InlineData("/usr/lib/libopenblasp-r0.3.29.so", 1, "OpenBLAS", true)]
    [InlineData("/usr/lib/openblas-openmp/libopenblasp-r0.3.29.so", 2, "OpenBLAS", false)]
    [InlineData("/opt/libmkl_core.so.2", -1, "MKL", false)]
    [InlineData("/usr/lib/blas/libblas.so.3.12.0", -1, "reference BLAS", false)]
    [InlineData("/opt/libtorch_cpu.so", -1, "libtorch's own", false)]
    public void The_library_of_products_is_known_by_its_file_and_what_it_says(string file, int parallel, string name, bool ownThreads)
    {
        var blas = Blas.Among(["", "/lib/libc.so.6", file, file], _ => parallel < 0 ? null : (parallel, "Zen"));
        Assert.Equal((name, ownThreads), (blas.Name, blas.OwnThreads));
        Assert.Equal(parallel < 0 ? string.Empty : "Zen", blas.Core);
    }

    [Fact]
    public void This_process_knows_its_own_kernels_and_doctor_gets_them_in_its_lines()
    {
        var facts = KernelReport.Of(Device.Cpu);
        Assert.Equal(["own kernels", "products", "product kernels", "threads"], facts.Select(fact => fact.Name).Where(name => name != "environment"));
        if (Environment.GetEnvironmentVariable("FOVEA_LIBTORCH_ORIGIN") == "private")
        {
            // What the launcher lays itself comes with OpenBLAS.
            Assert.DoesNotContain("reference", facts[1].InUse, StringComparison.Ordinal);
        }

        var output = new StringWriter();
        KernelsVerb.Run([new KernelFact("products", "MKL"), new KernelFact("threads", "9 on 8", "slow", "set 8")], output);
        Assert.Equal("  ok   products       MKL\n  note threads        9 on 8: slow\n                      fix: set 8\n", output.ToString());
    }
}
