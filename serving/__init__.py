"""The service: HTTP over promoted artefacts. It reads folders, never MLflow; numpy and LightGBM alone answer."""
