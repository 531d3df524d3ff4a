export * from "../domain/crash.ts";
