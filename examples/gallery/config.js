// Where the image service is. It has to name this page's origin in PIXGATE_CORS_ORIGINS.
export const SERVICE = "http://127.0.0.1:9090";
