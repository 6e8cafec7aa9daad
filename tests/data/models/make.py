"""Makes the folders beside it: one tiny random model for each recurrent family, as SafeTensors, and the logits that
`transformers` computes with it. Needs torch and transformers (made with 2.15 and 5.23); the tests need neither.

    python3 make.py        # writes NAME/config.json, model.safetensors, tokenizer.json and expected.json
"""
import json
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).parent
IDS = [(7 * i * i + 3 * i + 5) % 64 for i in range(40)]
HYBRID = ["linear_attention", "full_attention"]
DELTA = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=32, layer_types=HYBRID,
             full_attention_interval=2, linear_conv_kernel_dim=4, linear_key_head_dim=8, linear_value_head_dim=16, linear_num_key_heads=2,
             linear_num_value_heads=4)
EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, shared_expert_intermediate_size=16)
FAMILIES = {
    "lfm2": ("Lfm2", dict(hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
                          layer_types=["conv", "full_attention"], conv_L_cache=3, block_auto_adjust_ff_dim=False)),
    "mamba2": ("Mamba2", dict(hidden_size=32, num_hidden_layers=2, expand=2, num_heads=4, head_dim=16, state_size=8, n_groups=2, conv_kernel=4,
                              chunk_size=16)),
    "falcon-h1": ("FalconH1", dict(hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=16,
                                   mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_n_groups=2, mamba_d_state=8, mamba_expand=1,
                                   mamba_chunk_size=16, mamba_rms_norm=True, mamba_norm_before_gate=False, embedding_multiplier=1.5,
                                   lm_head_multiplier=0.5, key_multiplier=0.75, attention_in_multiplier=1.25, attention_out_multiplier=0.9,
                                   ssm_in_multiplier=0.8, ssm_out_multiplier=0.7, mlp_multipliers=[0.9, 0.6],
                                   ssm_multipliers=[0.5, 0.7, 0.6, 0.9, 0.8])),
    "qwen3next": ("Qwen3Next", dict(**DELTA, **EXPERTS, rope_parameters=dict(rope_type="default", rope_theta=1e4, partial_rotary_factor=0.25))),
    "qwen35": ("Qwen3_5", dict(**DELTA, intermediate_size=32,
                               rope_parameters=dict(rope_type="default", rope_theta=1e4, partial_rotary_factor=0.25, mrope_section=[2, 1, 1]))),
    "qwen35moe": ("Qwen3_5Moe", dict(**DELTA, **EXPERTS, rope_parameters=dict(rope_type="default", rope_theta=1e4, partial_rotary_factor=0.25,
                                                                              mrope_section=[2, 1, 1]))),
}


def tokenizer():
    shown = [chr(c) for c in range(48, 48 + 64)]
    return {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
            "post_processor": None, "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(shown)}, "merges": []}}


def make(name, family, settings):
    torch.manual_seed(1)
    text = "TextConfig" if family.startswith("Qwen3_5") else "Config"
    config = getattr(transformers, family + text)(vocab_size=64, max_position_embeddings=256, initializer_range=0.3, **settings)
    config._attn_implementation = "eager"
    model = getattr(transformers, family + "ForCausalLM")(config).eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            if value.dim() == 1 and not key.endswith("A_log"):
                value.add_(torch.randn_like(value) * 0.2)
    model.to(torch.bfloat16).save_pretrained(HERE / name)
    # Read again, so that nothing but the weights has been through 16 bits.
    model = type(model).from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        logits = model(torch.tensor([IDS]), use_cache=False).logits[0, -1]
    (HERE / name / "tokenizer.json").write_text(json.dumps(tokenizer()))
    (HERE / name / "expected.json").write_text(json.dumps({"ids": IDS, "logits": [round(x, 6) for x in logits.tolist()]}))
    (HERE / name / "generation_config.json").unlink(missing_ok=True)


if __name__ == "__main__":
    for name, (family, settings) in FAMILIES.items():
        make(name, family, settings)
